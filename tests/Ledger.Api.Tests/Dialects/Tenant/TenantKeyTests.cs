using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Tenant;

/// <summary><c>/tenant/keys</c>: any key may look, an inference key mints nothing wider than itself.</summary>
public sealed class TenantKeyTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task A_minted_key_pays_out_of_its_minters_limit()
    {
        var account = await _app.OpenAccountAsync(credits: 1000, limit: 20);
        var minted = (await _app.PostAsync("/tenant/keys", account.Key, """{"name":"child"}""")).ShouldBe(201);
        minted.Text("limit").ShouldBe("20");
        minted.Text("billing").ShouldBe("pay_per_token");
        var child = minted.Text("key")!;
        (await SpendAsync(child, "r1", 2)).ShouldBe(200);
        (await SpendAsync(account.Key, "r2", 2)).ShouldBe(200);
        foreach (var key in (string[])[child, account.Key])
        {
            var refused = await SpendAsync(key, "r3", 1);
            refused.ShouldBeRefused(402, "key_limit_reached").Text("limit_source").ShouldBe(key == child ? "minting_key" : "key");
        }

        (await _app.PostAsync("/tenant/keys", account.Key, """{"name":"another"}"""))
            .ShouldBe(402)
            .Text("error", "code")
            .ShouldBe("key_limit_reached");
    }

    [Theory]
    [InlineData("""{"name":"x","limit":21}""")]
    [InlineData("""{"name":"x","kind":"provisioning"}""")]
    [InlineData("""{"name":"x","billing":"subscription"}""")]
    [InlineData("""{"name":"x","rate_limit":{"burst":11,"refill_per_second":0.5}}""")]
    [InlineData("""{"name":"x","rate_limit":"unlimited"}""")]
    public async Task Anything_wider_is_forbidden(string body)
    {
        var account = await _app.OpenAccountAsync(credits: 1000, limit: 20);
        var before = await _app.StandingAsync(account.Id);
        (await _app.PostAsync("/tenant/keys", account.Key, body)).ShouldBe(403).Text("error", "code").ShouldBe("forbidden");
        (await _app.StandingAsync(account.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task A_key_sees_all_and_revokes_itself_and_what_it_minted()
    {
        var account = await _app.OpenAccountAsync();
        var (other, _) = await _app.CreateKeyAsync(account.Id);
        var minted = (await _app.PostAsync("/tenant/keys", account.Key, """{"name":"child"}""")).ShouldBe(201);
        var (child, secret) = (minted.Text("id")!, minted.Text("key")!);
        (await _app.GetAsync("/tenant/keys", secret))
            .ShouldBe(200)
            .Json.GetProperty("data")
            .EnumerateArray()
            .Select(key => key.GetProperty("id").GetString())
            .ShouldBe([account.KeyId.Value, other.Value, child], ignoreOrder: true);
        (await _app.GetAsync($"/tenant/keys/{other}", secret)).ShouldBe(200).Text("id").ShouldBe(other.Value);

        (await _app.DeleteAsync($"/tenant/keys/{account.KeyId}", secret)).ShouldBe(403);
        (await _app.DeleteAsync($"/tenant/keys/{other}", account.Key)).ShouldBe(403);
        (await _app.DeleteAsync($"/tenant/keys/{child}", account.Key)).ShouldBe(204);
        (await _app.GetAsync("/tenant/keys", secret)).ShouldBe(401);
        (await _app.DeleteAsync($"/tenant/keys/{account.KeyId}", account.Key)).ShouldBe(204);
        (await _app.GetAsync("/tenant/keys", account.Key)).ShouldBe(401);
    }

    [Fact]
    public async Task A_provisioning_key_mints_any_kind()
    {
        var account = await _app.OpenAccountAsync(kind: KeyKind.Provisioning);
        (await _app.PostAsync("/tenant/keys", account.Key, """{"name":"x","kind":"provisioning"}"""))
            .ShouldBe(201)
            .Text("kind")
            .ShouldBe("provisioning");
        (await _app.PostAsync("/tenant/keys", account.Key, """{"name":"x","billing":"subscription"}"""))
            .ShouldBe(201)
            .Text("billing")
            .ShouldBe("subscription");
    }

    [Fact]
    public async Task Many_at_once_on_a_minter_and_what_it_minted_admit_exactly_what_the_limit_allows()
    {
        var account = await _app.OpenAccountAsync(credits: 10_000, limit: 500);
        var child = (await _app.PostAsync("/tenant/keys", account.Key, """{"name":"child"}""")).ShouldBe(201).Text("key")!;
        var grandchild = (await _app.PostAsync("/tenant/keys", child, """{"name":"grandchild"}""")).ShouldBe(201).Text("key")!;
        string[] keys = [account.Key, child, grandchild];
        var answers = await Task.WhenAll(Enumerable.Range(0, 1000).Select(n => SpendAsync(keys[n % 3], $"many-{n}", 1)));
        answers.Count(answer => answer.Status == 200).ShouldBe(100);
        answers.Where(answer => answer.Status != 200).ShouldAllBe(answer => answer.Status == 402);
        (await _app.ReadAsync(account.Id))
            .Keys.Find(account.KeyId)!
            .LimitRemaining(Unit.Credits, _app.Clock.Now)
            .ShouldBe(Amount.Credits(0));
    }

    private Task<Answer> SpendAsync(string key, string reference, int units) =>
        _app.PostAsync("/api/v1/tools/spend", key, $$"""{"tool":"chat","units":{{units}},"reference":"{{reference}}"}""");
}
