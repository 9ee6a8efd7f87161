using Ledger.Domain.Keys;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Application;

/// <summary>Many at once, over real connections: nobody is charged twice and nothing is spent that is not there.</summary>
public sealed class ConcurrencyTests
{
    [Fact]
    public async Task A_thousand_spends_at_once_on_funds_for_a_hundred_admit_exactly_a_hundred()
    {
        await using var app = await LedgerApp.StartAsync(onKestrel: true);
        var account = await app.OpenAccountAsync(credits: 500);
        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(n => SpendAsync(app, account, $"r{n}")));
        answers.Count(answer => answer.Status == 200).ShouldBe(100);
        answers
            .Where(answer => answer.Status != 200)
            .ShouldAllBe(answer => answer.Status == 402 && answer.Body.Contains("\"insufficient_credits\""));
        answers
            .Where(answer => answer.Status == 200)
            .Select(answer => int.Parse(answer.Text("balance_after")!, null))
            .Order()
            .ShouldBe(Enumerable.Range(0, 100).Select(n => 5 * n));
        (await SpentAsync(app, account)).ShouldBe(100);
        (await app.AvailableAsync(account.Id)).ShouldBe(0);
    }

    [Fact]
    public async Task A_thousand_spends_at_once_under_a_limit_for_a_hundred_admit_exactly_a_hundred()
    {
        await using var app = await LedgerApp.StartAsync(onKestrel: true);
        var account = await app.OpenAccountAsync(credits: 100_000, limit: 500, reset: LimitReset.Daily);
        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(n => SpendAsync(app, account, $"r{n}")));
        answers.Count(answer => answer.Status == 200).ShouldBe(100);
        answers
            .Where(answer => answer.Status != 200)
            .ShouldAllBe(answer => answer.Status == 402 && answer.Body.Contains("\"key_limit_reached\""));
        (await app.AvailableAsync(account.Id)).ShouldBe(99_500);

        app.Clock.Advance(TimeSpan.FromHours(12));
        (await SpendAsync(app, account, "tomorrow")).ShouldBe(200);
    }

    [Fact]
    public async Task The_same_spend_five_hundred_times_at_once_is_charged_once()
    {
        await using var app = await LedgerApp.StartAsync(onKestrel: true);
        var account = await app.OpenAccountAsync(credits: 10_000);
        var answers = await Task.WhenAll(Enumerable.Range(0, 500).Select(_ => SpendAsync(app, account, "same")));
        answers.ShouldAllBe(answer => answer.Status == 200 && answer.Body == """{"ok":true,"charged":5,"balance_after":9995}""");
        answers.Count(answer => answer.Header("Idempotent-Replayed") is null).ShouldBe(1);
        answers.Select(answer => answer.Header("x-ledger-spend-id")).Distinct().Count().ShouldBe(1);
        (await app.AvailableAsync(account.Id)).ShouldBe(9_995);
    }

    [Fact]
    public async Task Two_servers_on_one_database_admit_exactly_what_the_funds_cover_and_nobody_sees_an_error()
    {
        await using var one = await LedgerApp.StartAsync(onKestrel: true);
        await using var two = await LedgerApp.StartAsync(one.Database, one.Clock, onKestrel: true);
        var account = await one.OpenAccountAsync(credits: 500);
        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(n => SpendAsync(n % 2 == 0 ? one : two, account, $"r{n}")));
        answers.Select(answer => answer.Status).Distinct().Order().ShouldBe([200, 402]);
        answers.Count(answer => answer.Status == 200).ShouldBe(100);
        (await SpentAsync(one, account)).ShouldBe(100);
        (await one.AvailableAsync(account.Id)).ShouldBe(0);
        (await two.AvailableAsync(account.Id)).ShouldBe(0);
    }

    [Fact]
    public async Task What_one_server_was_told_the_other_repeats()
    {
        await using var one = await LedgerApp.StartAsync();
        await using var two = await LedgerApp.StartAsync(one.Database, one.Clock);
        var account = await one.OpenAccountAsync(credits: 1_000);
        for (var n = 0; n < 20; n++)
        {
            var (here, there) = n % 2 == 0 ? (one, two) : (two, one);
            var first = (await SpendAsync(here, account, $"r{n}")).ShouldBe(200);
            (await SpendAsync(there, account, $"r{n}")).ShouldBe(200, first.Body).ShouldHave("Idempotent-Replayed", "true");
            (await there.PostAsync("/api/v1/tools/check", account.Key, new { tool = "chat", units = 1 }))
                .Text("balance_after")
                .ShouldBe($"{1_000 - (5 * (n + 2))}");
        }

        // A revoke, a suspension and a price on the one hold on the other from the next request on.
        await one.PublishPriceAsync("chat", "6");
        (await SpendAsync(two, account, "dearer")).ShouldBe(200).Text("charged").ShouldBe("6");
        await one.SuspendAsync(account.Id);
        (await SpendAsync(two, account, "suspended")).ShouldBeRefused(403, "forbidden");
        await two.ReinstateAsync(account.Id);
        await two.RevokeAsync(account);
        (await SpendAsync(one, account, "revoked")).ShouldBeRefused(401, "auth_required");
        (await one.PostAsync("/api/v1/tools/check", account.Key, new { tool = "chat", units = 1 })).ShouldBeRefused(401, "auth_required");
    }

    [Fact]
    public async Task The_same_spend_on_both_servers_at_once_is_charged_once()
    {
        await using var one = await LedgerApp.StartAsync();
        await using var two = await LedgerApp.StartAsync(one.Database, one.Clock);
        var account = await one.OpenAccountAsync(credits: 10_000);
        for (var round = 0; round < 20; round++)
        {
            var answers = await Task.WhenAll(
                Enumerable.Range(0, 20).Select(n => SpendAsync(n % 2 == 0 ? one : two, account, $"round{round}"))
            );
            answers.ShouldAllBe(answer => answer.Status == 200 && answer.Body == answers[0].Body);
            answers.Count(answer => answer.Header("Idempotent-Replayed") is null).ShouldBe(1);
        }

        (await one.AvailableAsync(account.Id)).ShouldBe(9_900);
    }

    [Fact]
    public async Task A_full_queue_answers_at_once_that_it_is_full()
    {
        await using var app = await LedgerApp.StartAsync(settings: new Dictionary<string, string> { ["Ledger:QueueCapacity"] = "8" });
        var account = await app.OpenAccountAsync(credits: 1_000);
        Task<Answer>[] waiting;
        await using (var held = await HoldStreamAsync(app, account))
        {
            var first = SpendAsync(app, account, "first");
            await WriterWaitsAsync(app);
            waiting = [first, .. Enumerable.Range(0, 8).Select(n => SpendAsync(app, account, $"queued{n}"))];
            await Eventually.IsSoAsync(() => app.QueueDepth() == 8);

            foreach (var n in Enumerable.Range(0, 4))
            {
                (await SpendAsync(app, account, $"refused{n}"))
                    .ShouldBeRefused(503, "unavailable")
                    .ShouldHave("Retry-After", "1")
                    .ShouldHave("x-should-retry", null);
            }

            waiting.ShouldAllBe(answer => !answer.IsCompleted);
        }

        foreach (var answer in waiting)
            (await answer).ShouldBe(200);
        (await SpendAsync(app, account, "refused0")).ShouldBe(200).ShouldHave("Idempotent-Replayed", null);
        (await app.AvailableAsync(account.Id)).ShouldBe(950);
    }

    [Fact]
    public async Task Who_hangs_up_is_charged_once_all_the_same_and_the_repeat_gets_the_answer()
    {
        await using var app = await LedgerApp.StartAsync(onKestrel: true);
        var account = await app.OpenAccountAsync(credits: 100);
        await using (var held = await HoldStreamAsync(app, account))
        {
            using var patience = new CancellationTokenSource();
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/tools/spend")
            {
                Content = System.Net.Http.Json.JsonContent.Create(
                    new
                    {
                        tool = "chat",
                        units = 1,
                        reference = "lost",
                    }
                ),
                Headers = { Authorization = new("Bearer", account.Key) },
            };
            var lost = app.Http.SendAsync(request, patience.Token);
            await WriterWaitsAsync(app);
            await patience.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(lost);
        }

        (await SpendAsync(app, account, "lost"))
            .ShouldBe(200, """{"ok":true,"charged":5,"balance_after":95}""")
            .ShouldHave("Idempotent-Replayed", "true");
    }

    private static Task<Answer> SpendAsync(LedgerApp app, TestAccount account, string reference) =>
        app.PostAsync(
            "/api/v1/tools/spend",
            account.Key,
            new
            {
                tool = "chat",
                units = 1,
                reference,
            }
        );

    private static async Task<int> SpentAsync(LedgerApp app, TestAccount account) =>
        (await app.EventsAsync(account.Id)).Count(stored => stored.Type == "credits_spent");

    /// <summary>Locks an account's stream as somebody else, so that whatever is to be appended waits until this is disposed of.</summary>
    private static async Task<IAsyncDisposable> HoldStreamAsync(LedgerApp app, TestAccount account)
    {
        var connection = new NpgsqlConnection(app.Database);
        await connection.OpenAsync();
        await connection.BeginTransactionAsync();
        await using var command = new NpgsqlCommand("select id from mt_streams where id = $1 for update", connection)
        {
            Parameters = { new() { Value = account.Id.StreamId } },
        };
        (await command.ExecuteScalarAsync()).ShouldBe(account.Id.StreamId);
        return connection;
    }

    private static Task WriterWaitsAsync(LedgerApp app) =>
        Eventually.IsSoAsync(async () =>
            await app.QueryAsync(
                "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'ledger-writer' and wait_event_type = 'Lock'"
            )
                is 1L
        );
}
