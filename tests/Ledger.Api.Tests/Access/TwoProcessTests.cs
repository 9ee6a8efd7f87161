using Ledger.Testing;

namespace Ledger.Api.Tests.Access;

/// <summary>Two servers, each a process of its own, on one database, under load: what one has answered about a key holds on the other from its next request on.</summary>
public sealed class TwoProcessTests : IAsyncLifetime
{
    private readonly TestFolder _folder = TestFolder.Create();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Fact]
    public async Task A_key_that_is_revoked_put_to_rest_limited_or_suspended_on_one_is_refused_by_the_other_at_once()
    {
        var database = await new PostgresFixture().CreateDatabaseAsync();
        await using var one = await LedgerProcess.StartAsync(Path.Combine(_folder.Path, "one"), database);
        await using var two = await LedgerProcess.StartAsync(Path.Combine(_folder.Path, "two"), database);
        var nodes = new[] { (Node: one, Admin: await AdminKeyAsync("one")), (Node: two, Admin: await AdminKeyAsync("two")) };

        var busy = await OpenAsync(nodes[0], "busy@example.com");
        using var stop = new CancellationTokenSource();
        var load = Enumerable
            .Range(0, 8)
            .Select(async caller =>
            {
                var done = 0;
                for (; !stop.IsCancellationRequested; done++)
                    (await SpendAsync(nodes[done % 2].Node, busy.Key, $"load{caller}-{done}")).ShouldBe(200);
                return done;
            })
            .ToList();

        var account = await OpenAsync(nodes[0], "revoked@example.com");
        for (var round = 0; round < 10; round++)
        {
            var ((here, admin), (there, _)) = (nodes[round % 2], nodes[(round + 1) % 2]);
            var created = (await here.PostAsync($"/admin/accounts/{account.Id}/keys", admin, """{"name":"k"}""")).ShouldBe(201);
            var (path, secret) = ($"/admin/accounts/{account.Id}/keys/{created.Text("id")}", created.Text("key")!);
            (await SpendAsync(there, secret, $"{round}-a")).ShouldBe(200);
            (await CheckAsync(there, secret)).ShouldBe(200);

            (await here.PatchAsync(path, admin, """{"limit":1}""")).ShouldBe(200);
            (await SpendAsync(there, secret, $"{round}-b")).ShouldBeRefused(402, "key_limit_reached");
            (await here.PatchAsync(path, admin, """{"limit":null,"disabled":true}""")).ShouldBe(200);
            (await CheckAsync(there, secret)).ShouldBeRefused(401, "auth_required");
            (await SpendAsync(there, secret, $"{round}-b")).ShouldBeRefused(401, "auth_required");
            (await here.PatchAsync(path, admin, """{"disabled":false}""")).ShouldBe(200);
            (await CheckAsync(there, secret)).ShouldBe(200);

            (await here.PostAsync($"/admin/accounts/{account.Id}/suspend", admin, """{"reason":"test"}""")).ShouldBe(200);
            (await CheckAsync(there, secret)).ShouldBeRefused(403, "forbidden");
            (await SpendAsync(there, secret, $"{round}-b")).ShouldBeRefused(403, "forbidden");
            (await here.PostAsync($"/admin/accounts/{account.Id}/reinstate", admin, """{"reason":"test"}""")).ShouldBe(200);
            (await SpendAsync(there, secret, $"{round}-b")).ShouldBe(200);

            (await here.DeleteAsync(path, admin)).ShouldBe(204);
            (await CheckAsync(there, secret)).ShouldBeRefused(401, "auth_required");
            (await SpendAsync(there, secret, $"{round}-c")).ShouldBeRefused(401, "auth_required");
            (await there.GetAsync("/tenant/keys", secret)).ShouldBe(401);
        }

        await stop.CancelAsync();
        (await Task.WhenAll(load)).Sum().ShouldBeGreaterThan(0);
    }

    private async Task<string> AdminKeyAsync(string node) =>
        (await File.ReadAllTextAsync(Path.Combine(_folder.Path, node, "admin-key"))).Trim();

    private static async Task<(string Id, string Key)> OpenAsync((LedgerProcess Node, string Admin) at, string email)
    {
        var (node, admin) = at;
        var id = (await node.PostAsync("/admin/accounts", admin, new { email })).ShouldBe(201).Text("account_id")!;
        const string Grant = """{"amount":1000000,"unit":"credits","source":"bonus","reason":"test","reference":"g"}""";
        (await node.PostAsync($"/admin/accounts/{id}/grants", admin, Grant)).ShouldBe(201);
        var key = (await node.PostAsync($"/admin/accounts/{id}/keys", admin, """{"name":"k"}""")).ShouldBe(201).Text("key")!;
        return (id, key);
    }

    private static Task<Answer> SpendAsync(LedgerClient node, string key, string reference) =>
        node.PostAsync("/api/v1/tools/spend", key, $$"""{"tool":"chat","units":1,"reference":"{{reference}}"}""");

    private static Task<Answer> CheckAsync(LedgerClient node, string key) =>
        node.PostAsync("/api/v1/tools/check", key, """{"tool":"chat","units":1}""");
}
