using System.Globalization;
using Ledger.Api.Tests.Dialects.Admin;
using Ledger.Domain;
using Ledger.Domain.Keys;
using Ledger.Projections.Rebuild;
using Ledger.Testing;

namespace Ledger.Api.Tests.Application;

/// <summary>Two servers share one database: what the one has answered holds on the other from its next request on, and nobody sees an error.</summary>
public sealed class TwoServersTests : IAsyncLifetime
{
    private LedgerApp _one = null!;
    private LedgerApp _two = null!;

    public async ValueTask InitializeAsync()
    {
        _one = await LedgerApp.StartAsync(onKestrel: true);
        _two = await LedgerApp.StartAsync(_one.Database, _one.Clock, onKestrel: true);
    }

    public async ValueTask DisposeAsync()
    {
        await _two.DisposeAsync();
        await _one.DisposeAsync();
    }

    [Fact]
    public async Task A_grant_on_the_one_pays_for_the_very_next_spend_on_the_other()
    {
        var account = await _one.OpenAccountAsync();
        for (var round = 0; round < 40; round++)
        {
            var (here, there) = Turn(round);
            (await SpendAsync(there, account.Key, $"r{round}")).ShouldBeRefused(402, "insufficient_credits");
            (await CheckAsync(there, account.Key)).ShouldBe(200).Text("allowed").ShouldBe("false");
            await GrantAsync(here, account.Id, 5, $"g{round}");
            (await CheckAsync(there, account.Key)).ShouldBe(200).Text("allowed").ShouldBe("true");
            (await SpendAsync(there, account.Key, $"r{round}")).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":0}""");
            (await SpendAsync(here, account.Key, $"r{round}"))
                .ShouldBe(200, """{"ok":true,"charged":5,"balance_after":0}""")
                .ShouldHave("Idempotent-Replayed", "true");
        }
    }

    [Fact]
    public async Task A_revoke_on_the_one_shuts_the_key_out_of_the_other_from_the_next_request_on()
    {
        var account = await _one.OpenAccountAsync(credits: 10_000);
        for (var round = 0; round < 25; round++)
        {
            var (here, there) = Turn(round);
            var created = (await here.AdminPostAsync($"/accounts/{account.Id}/keys", new { name = "Key" })).ShouldBe(201);
            var (id, key) = (created.Text("id")!, created.Text("key")!);
            (await SpendAsync(there, key, $"{round}-there")).ShouldBe(200);
            (await CheckAsync(there, key)).ShouldBe(200);
            (await SpendAsync(here, key, $"{round}-here")).ShouldBe(200);
            var hold = (await ReserveAsync(there, key, $"{round}-hold")).ShouldBe(200).Text("hold_id");

            (await here.AdminDeleteAsync($"/accounts/{account.Id}/keys/{id}")).ShouldBe(204);
            Answer[] answers =
                round % 2 == 0
                    ?
                    [
                        await CheckAsync(there, key),
                        await SpendAsync(there, key, $"{round}-after"),
                        await SpendAsync(there, key, $"{round}-there"),
                        await ReserveAsync(there, key, $"{round}-after"),
                        await SettleAsync(there, key, hold, 1),
                    ]
                    : await Task.WhenAll(
                        Enumerable.Range(0, 20).Select(n => n % 2 == 0 ? CheckAsync(there, key) : SpendAsync(there, key, $"{round}-{n}"))
                    );
            foreach (var answer in answers)
                answer.ShouldBeRefused(401, "auth_required");
        }
    }

    [Fact]
    public async Task A_limit_that_is_changed_on_the_one_governs_the_very_next_spend_on_the_other()
    {
        var account = await _one.OpenAccountAsync(credits: 10_000, limit: 1000);
        for (var round = 1; round <= 20; round++)
        {
            var (here, there) = Turn(round);
            (await SpendAsync(there, account.Key, $"warm{round}")).ShouldBe(200);

            // What is used so far, two spends a round but the last, is all that may be used.
            await LimitAsync(here, account, (round * 10) - 5);
            (await SpendAsync(there, account.Key, $"over{round}")).ShouldBeRefused(402, "key_limit_reached");
            (await CheckAsync(there, account.Key)).ShouldBe(200).Text("allowed").ShouldBe("false");
            await LimitAsync(here, account, round * 10);
            (await SpendAsync(there, account.Key, $"up-to{round}")).ShouldBe(200);
            (await SpendAsync(there, account.Key, $"over{round}")).ShouldBeRefused(402, "key_limit_reached");
            await LimitAsync(here, account, 1000);
        }
    }

    [Fact]
    public async Task A_limit_that_is_lowered_under_load_on_both_is_never_passed_again()
    {
        var account = await _one.OpenAccountAsync(credits: 100_000, limit: 50_000);
        var spends = Enumerable.Range(0, 600).Select(n => SpendAsync(n % 2 == 0 ? _one : _two, account.Key, $"load{n}")).ToList();
        await LimitAsync(_one, account, 1000);
        await Task.WhenAll(spends);
        var used = 5 * spends.Count(spend => spend.Result.Status == 200);
        var more = await Task.WhenAll(Enumerable.Range(0, 400).Select(n => SpendAsync(n % 2 == 0 ? _one : _two, account.Key, $"more{n}")));
        var after = more.Count(spend => spend.Status == 200);
        after.ShouldBe(Math.Max(0, (1000 - used) / 5));
        more.Where(spend => spend.Status != 200).ShouldAllBe(spend => spend.Status == 402);
    }

    [Fact]
    public async Task Rest_rotation_and_revocation_on_the_one_shut_the_other_at_once_under_load()
    {
        var account = await _one.OpenAccountAsync(credits: 1_000_000);
        using var stop = new CancellationTokenSource();
        var load = Enumerable
            .Range(0, 8)
            .Select(async caller =>
            {
                for (var n = 0; !stop.IsCancellationRequested; n++)
                    (await SpendAsync(n % 2 == 0 ? _one : _two, account.Key, $"load{caller}-{n}")).ShouldBe(200);
            })
            .ToList();
        for (var round = 0; round < 10; round++)
        {
            var (here, there) = Turn(round);
            var created = (await here.AdminPostAsync($"/accounts/{account.Id}/keys", new { name = "Key" })).ShouldBe(201);
            var (path, secret) = ($"/admin/accounts/{account.Id}/keys/{created.Text("id")}", created.Text("key")!);
            (await SpendAsync(there, secret, $"{round}-a")).ShouldBe(200);
            (await here.PatchAsync(path, LedgerApp.AdminKey, """{"disabled":true}""")).ShouldBe(200);
            (await SpendAsync(there, secret, $"{round}-b")).ShouldBeRefused(401, "auth_required");
            (await CheckAsync(there, secret)).ShouldBeRefused(401, "auth_required");
            (await there.GetAsync("/tenant/keys", secret)).ShouldBe(401);
            (await here.PatchAsync(path, LedgerApp.AdminKey, """{"disabled":false}""")).ShouldBe(200);
            (await CheckAsync(there, secret)).ShouldBe(200);

            var rotated = (await here.PostAsync(path + "/rotate", LedgerApp.AdminKey, """{"grace_seconds":0}"""))
                .ShouldBe(200)
                .Text("key")!;
            (await CheckAsync(there, secret)).ShouldBeRefused(401, "auth_required");
            (await SpendAsync(there, secret, $"{round}-c")).ShouldBeRefused(401, "auth_required");
            (await SpendAsync(there, rotated, $"{round}-c")).ShouldBe(200);

            (await here.DeleteAsync(path, LedgerApp.AdminKey)).ShouldBe(204);
            (await CheckAsync(there, rotated)).ShouldBeRefused(401, "auth_required");
            (await SpendAsync(there, rotated, $"{round}-d")).ShouldBeRefused(401, "auth_required");
            (await there.GetAsync("/tenant/keys", rotated)).ShouldBe(401);
        }

        await stop.CancelAsync();
        await Task.WhenAll(load);
    }

    [Fact]
    public async Task Whoever_signs_out_on_the_one_is_out_on_the_other_and_a_token_of_a_key_that_the_other_never_saw_is_good()
    {
        const string Credentials = """{"email":"two@example.com","password":"correct horse"}""";
        (await _one.PostAsync("/api/v1/auth/register", null, Credentials)).ShouldBe(201);
        for (var round = 0; round < 5; round++)
        {
            var (here, there) = Turn(round);
            (await here.PostAsync("/admin/signing-keys", LedgerApp.AdminKey)).ShouldBe(201);
            var token = (await here.PostAsync("/api/v1/auth/token", null, Credentials)).ShouldBe(200).Text("access_token")!;
            (await CheckAsync(there, token)).ShouldBe(200);
            (await here.PostAsync("/api/v1/auth/logout", token)).ShouldBe(204);
            (await CheckAsync(there, token)).ShouldBeRefused(401, "auth_required");
            (await SpendAsync(there, token, $"out{round}")).ShouldBeRefused(401, "auth_required");
        }
    }

    private static async Task LimitAsync(LedgerApp app, TestAccount account, long limit) =>
        (await app.PatchAsync($"/admin/accounts/{account.Id}/keys/{account.KeyId}", LedgerApp.AdminKey, new { limit })).ShouldBe(200);

    [Fact]
    public async Task A_suspension_on_the_one_stops_the_account_on_the_other_and_its_end_lets_it_go_on()
    {
        var account = await _one.OpenAccountAsync(credits: 10_000);
        for (var round = 0; round < 25; round++)
        {
            var (here, there) = Turn(round);
            (await SpendAsync(there, account.Key, $"{round}-before")).ShouldBe(200);
            (await here.AdminPostAsync($"/accounts/{account.Id}/suspend", new { reason = "A test" })).ShouldBe(200);
            (await SpendAsync(there, account.Key, $"{round}-suspended")).ShouldBeRefused(403, "forbidden");
            (await CheckAsync(there, account.Key)).ShouldBeRefused(403, "forbidden");
            (await here.AdminPostAsync($"/accounts/{account.Id}/reinstate", new { reason = "A test" })).ShouldBe(200);
            (await SpendAsync(there, account.Key, $"{round}-suspended")).ShouldBe(200).ShouldHave("Idempotent-Replayed", null);
        }
    }

    [Fact]
    public async Task A_price_that_the_one_publishes_is_charged_by_the_other_from_the_next_spend_on()
    {
        var account = await _one.OpenAccountAsync(credits: 10_000);
        var first = (await _one.AdminGetAsync("/rate-card")).ShouldBe(200).Json.GetProperty("rate_card").GetRawText();
        for (var round = 0; round < 25; round++)
        {
            var (here, there) = Turn(round);
            (await SpendAsync(there, account.Key, $"{round}-before")).ShouldBe(200);
            var price = (round + 6).ToString(CultureInfo.InvariantCulture);
            _one.Clock.Advance(TimeSpan.FromSeconds(1));
            var card = first.Replace(
                """{ "name": "chat", "per": "turn", "credits": "5" }""",
                $$"""{ "name": "chat", "per": "turn", "credits": "{{price}}" }""",
                StringComparison.Ordinal
            );
            (await here.AdminPutAsync("/rate-card", card)).ShouldBe(201);
            if (round % 2 == 0)
                (await CheckAsync(there, account.Key)).ShouldBe(200).Text("cost_tokens").ShouldBe(price);
            (await SpendAsync(there, account.Key, $"{round}-after")).ShouldBe(200).Text("charged").ShouldBe(price);
        }
    }

    [Fact]
    public async Task A_thousand_spends_split_over_both_under_a_limit_for_a_hundred_admit_exactly_a_hundred()
    {
        var account = await _one.OpenAccountAsync(credits: 100_000, limit: 500, reset: LimitReset.Daily);
        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(n => SpendAsync(Server(n), account.Key, $"r{n}")));
        answers.Select(answer => answer.Status).Distinct().Order().ShouldBe([200, 402]);
        answers.Count(answer => answer.Status == 200).ShouldBe(100);
        answers.Where(answer => answer.Status == 402).ShouldAllBe(answer => answer.Body.Contains("\"key_limit_reached\""));
        (await _one.AvailableAsync(account.Id)).ShouldBe(99_500);
        (await _two.AvailableAsync(account.Id)).ShouldBe(99_500);
    }

    [Fact]
    public async Task The_same_spend_five_hundred_times_on_each_is_charged_once()
    {
        var account = await _one.OpenAccountAsync(credits: 10_000);
        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(n => SpendAsync(Server(n), account.Key, "same")));
        answers.ShouldAllBe(answer => answer.Status == 200 && answer.Body == """{"ok":true,"charged":5,"balance_after":9995}""");
        answers.Count(answer => answer.Header("Idempotent-Replayed") is null).ShouldBe(1);
        answers.Select(answer => answer.Header("x-ledger-spend-id")).Distinct().Count().ShouldBe(1);

        // With other contents it conflicts, on both, whether as a spend or as a hold.
        foreach (var server in (LedgerApp[])[_one, _two])
        {
            (await SpendAsync(server, account.Key, "same", units: 2)).ShouldBeRefused(409, "reference_conflict");
            (await ReserveAsync(server, account.Key, "same")).ShouldBeRefused(409, "reference_conflict");
        }
    }

    [Fact]
    public async Task A_hold_that_both_settle_at_once_is_settled_once()
    {
        var account = await _one.OpenAccountAsync(credits: 10_000);
        for (var round = 0; round < 30; round++)
        {
            var hold = (await ReserveAsync(Server(round), account.Key, $"r{round}")).ShouldBe(200).Text("hold_id");
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(n => SettleAsync(Server(n), account.Key, hold, units: 1)));
            answers.ShouldAllBe(answer => answer.Status == 200 && answer.Body == answers[0].Body);
            answers.Count(answer => answer.Header("Idempotent-Replayed") is null).ShouldBe(1);
        }

        (await EndsAsync(account)).ShouldBe(["hold_settled 30"]);
        (await _one.AvailableAsync(account.Id)).ShouldBe(10_000 - (30 * 5));
    }

    [Fact]
    public async Task A_hold_that_the_one_settles_while_the_other_releases_it_has_one_end()
    {
        var account = await _one.OpenAccountAsync(credits: 10_000);
        var (settled, released) = (0, 0);
        for (var round = 0; round < 40; round++)
        {
            var (here, there) = Turn(round);
            var hold = (await ReserveAsync(here, account.Key, $"r{round}")).ShouldBe(200).Text("hold_id");
            var settling = SettleAsync(here, account.Key, hold, units: 1);
            var releasing = there.PostAsync("/api/v1/tools/release", account.Key, new { hold_id = hold });
            var answers = await Task.WhenAll(settling, releasing);
            answers.Count(answer => answer.Status == 200).ShouldBe(1, string.Join('\n', (object[])answers));
            answers.ShouldAllBe(answer => answer.Status == 200 || answer.Status == 409);
            if (answers[0].Status == 200)
                settled++;
            else
                released++;
        }

        (await _one.AvailableAsync(account.Id)).ShouldBe(10_000 - (settled * 5));
        (await EndsAsync(account)).Sum(line => int.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture)).ShouldBe(settled + released);
        (await _two.ReadAsync(account.Id)).Wallet.Holds.ShouldBeEmpty();
    }

    [Fact]
    public async Task Holds_and_spends_on_both_at_once_never_take_more_than_there_is()
    {
        var account = await _one.OpenAccountAsync(credits: 500);
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 600)
                .Select(n => n % 3 == 0 ? ReserveAsync(Server(n), account.Key, $"r{n}") : SpendAsync(Server(n), account.Key, $"r{n}"))
        );
        answers.Select(answer => answer.Status).Distinct().Order().ShouldBe([200, 402]);
        answers.Count(answer => answer.Status == 200).ShouldBe(100);
        (await _two.AvailableAsync(account.Id)).ShouldBe(0);

        // What is released on the one can be spent on the other at once.
        var holds = answers
            .Where(answer => answer.Status == 200 && answer.Body.Contains("hold_id"))
            .Select(answer => answer.Text("hold_id"))
            .ToList();
        holds.ShouldNotBeEmpty();
        for (var n = 0; n < holds.Count; n++)
        {
            var (here, there) = Turn(n);
            (await here.PostAsync("/api/v1/tools/release", account.Key, new { hold_id = holds[n] })).ShouldBe(200);
            (await SpendAsync(there, account.Key, $"released{n}")).ShouldBe(200);
            (await SpendAsync(there, account.Key, $"more{n}")).ShouldBeRefused(402, "insufficient_credits");
        }
    }

    [Fact]
    public async Task Both_charge_on_while_the_read_models_are_rebuilt_and_nothing_is_lost()
    {
        var accounts = new List<TestAccount>();
        for (var n = 0; n < 8; n++)
            accounts.Add(await _one.OpenAccountAsync(credits: 1_000_000));
        using var done = new CancellationTokenSource();
        var charging = Enumerable.Range(0, 8).Select(worker => Task.Run(() => ChargeAsync(worker))).ToList();
        await using var database = Npgsql.NpgsqlDataSource.Create(_one.Database);
        var rebuilder = new Rebuilder(database, TimeProvider.System);
        for (var round = 0; round < 3; round++)
            await rebuilder.RebuildAsync("all", null, default);
        await done.CancelAsync();
        var charged = (await Task.WhenAll(charging)).Sum();
        charged.ShouldBeGreaterThan(0);
        (await rebuilder.CompareAsync("all", null, default)).ShouldBeEmpty();
        var left = await Task.WhenAll(accounts.Select(account => _two.AvailableAsync(account.Id)));
        left.Sum().ShouldBe((8 * 1_000_000) - (5 * charged));

        // Every account on both servers, so that each is contended as well.
        async Task<long> ChargeAsync(int worker)
        {
            var spends = 0;
            for (; !done.IsCancellationRequested; spends++)
                (await SpendAsync(Server(worker), accounts[spends % 8].Key, $"{worker}-{spends}")).ShouldBe(200);
            return spends;
        }
    }

    [Fact]
    public async Task Connections_that_break_change_nothing_of_it()
    {
        var account = await _one.OpenAccountAsync(credits: 1_000);
        for (var round = 0; round < 6; round++)
        {
            var (here, there) = Turn(round);
            var created = (await here.AdminPostAsync($"/accounts/{account.Id}/keys", new { name = "Key" })).ShouldBe(201);
            var (id, key) = (created.Text("id")!, created.Text("key")!);
            (await SpendAsync(there, key, $"{round}-warm")).ShouldBe(200);
            (await CheckAsync(there, key)).ShouldBe(200);
            await BreakAsync();
            (await here.AdminDeleteAsync($"/accounts/{account.Id}/keys/{id}")).ShouldBe(204);
            await BreakAsync();
            (await CheckAsync(there, key)).ShouldBeRefused(401, "auth_required");
            (await SpendAsync(there, key, $"{round}-after")).ShouldBeRefused(401, "auth_required");
        }

        // All that the servers write and confirm by; their pools of other connections notice by themselves.
        async Task BreakAsync() =>
            await _one.QueryAsync(
                "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where datname = current_database() and application_name = 'ledger-writer'"
            );
    }

    private (LedgerApp Here, LedgerApp There) Turn(int round) => round % 2 == 0 ? (_one, _two) : (_two, _one);

    private LedgerApp Server(int n) => n % 2 == 0 ? _one : _two;

    private static Task<Answer> CheckAsync(LedgerApp server, string key) =>
        server.PostAsync("/api/v1/tools/check", key, new { tool = "chat", units = 1 });

    private static Task<Answer> SpendAsync(LedgerApp server, string key, string reference, int units = 1) =>
        server.PostAsync(
            "/api/v1/tools/spend",
            key,
            new
            {
                tool = "chat",
                units,
                reference,
            }
        );

    private static Task<Answer> ReserveAsync(LedgerApp server, string key, string reference) =>
        server.PostAsync(
            "/api/v1/tools/reserve",
            key,
            new
            {
                tool = "chat",
                units = 1,
                reference,
            }
        );

    private static Task<Answer> SettleAsync(LedgerApp server, string key, string? hold, int units) =>
        server.PostAsync("/api/v1/tools/settle", key, new { hold_id = hold, units });

    private static async Task GrantAsync(LedgerApp server, AccountId account, int credits, string reference) =>
        (
            await server.AdminPostAsync(
                $"/accounts/{account}/grants",
                new
                {
                    amount = credits,
                    unit = "credits",
                    source = "payg",
                    reason = "A test",
                    reference,
                }
            )
        ).ShouldBe(201);

    /// <summary>How holds ended, counted by event.</summary>
    private async Task<IReadOnlyList<string>> EndsAsync(TestAccount account) =>
        [
            .. (await _one.EventsAsync(account.Id))
                .Where(stored => stored.Type is "hold_settled" or "hold_released" or "hold_expired" or "hold_settled_late")
                .GroupBy(stored => stored.Type)
                .Select(same => $"{same.Key} {same.Count()}"),
        ];
}
