using Ledger.Api.Application;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Hosting;

/// <summary>A server on what it cannot work with stays up, refuses to become ready, says why, and becomes ready once that is mended.</summary>
public sealed class ReadinessTests
{
    private const string StreamAndId = "create unique index ux_mt_events_stream_and_id on mt_events (stream_id, id)";
    private const string StreamAndVersion = "create unique index pk_mt_events_stream_and_version on mt_events (stream_id, version)";

    public static TheoryData<string, string, string> Faults =>
        new()
        {
            {
                "insert into ledger_migrations (component, number, name) values ('log', 99, 'of a later year')",
                "delete from ledger_migrations where number = 99",
                "The database has migration log 99, which this server does not know: it was upgraded by a newer one. Upgrade this server."
            },
            {
                "drop index ux_mt_events_stream_and_id",
                StreamAndId,
                "mt_events lacks the unique index on {stream_id,id}. Without it a repeated command could be charged twice: restore it before starting the server."
            },
            {
                "drop index pk_mt_events_stream_and_version",
                StreamAndVersion,
                "mt_events lacks the unique index on {stream_id,version}. Without it a repeated command could be charged twice: restore it before starting the server."
            },
            {
                // What looks like the index and keeps nothing unique.
                "drop index ux_mt_events_stream_and_id; create unique index half on mt_events (stream_id, id) where version > 1",
                StreamAndId,
                "mt_events lacks the unique index on {stream_id,id}. Without it a repeated command could be charged twice: restore it before starting the server."
            },
            { ReadOnly("on"), ReadOnly("off"), "The database is read-only." },
        };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_server_started_on_a_database_it_cannot_use_says_why_and_becomes_ready_once_it_is_mended(
        string fault,
        string mend,
        string reason
    )
    {
        var database = await new PostgresFixture().CreateDatabaseAsync();
        await (await LedgerApp.StartAsync(database)).DisposeAsync();
        await using var operatorsOwn = Operator(database);
        await operatorsOwn.ExecuteAsync(fault);
        await using var app = await LedgerApp.StartAsync(database, mustBeReady: false);
        await RefusesAsync(app, reason);
        (
            await app.PostAsync("/api/v1/tools/check", Api.Keys.KeySecret.Create("lk").Text, new { tool = "chat", units = 1 })
        ).Status.ShouldBeOneOf(401, 503);
        (await app.GetAsync("/health/live")).ShouldBe(200);

        await operatorsOwn.ExecuteAsync(mend);
        await BecomesReadyAsync(app);
        await SpendsAsync(app);
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_server_whose_database_becomes_unusable_says_why_and_becomes_ready_again(string fault, string mend, string reason)
    {
        await using var app = await LedgerApp.StartAsync();
        await SpendsAsync(app);
        await using var operatorsOwn = Operator(app.Database);
        await operatorsOwn.ExecuteAsync(fault);
        await Eventually.IsSoAsync(async () => (await app.GetAsync("/health/ready")).Text("reason") == reason);
        await RefusesAsync(app, reason);

        await operatorsOwn.ExecuteAsync(mend);
        await BecomesReadyAsync(app);
        await SpendsAsync(app);
    }

    [Theory]
    [InlineData(1.5)]
    [InlineData(-1.5)]
    [InlineData(-3600)]
    public async Task A_node_whose_clock_is_off_does_not_become_ready_until_it_is_put_right(double seconds)
    {
        var clock = new OffsetClock { Offset = TimeSpan.FromSeconds(seconds) };
        await using var app = await LedgerApp.StartAsync(nodeClock: clock, mustBeReady: false);
        await SaysItsClockIsOffAsync(app);

        clock.Offset = TimeSpan.Zero;
        await BecomesReadyAsync(app);
        await SpendsAsync(app);

        // It drifts away while it runs, and comes back.
        clock.Offset = TimeSpan.FromSeconds(seconds);
        await SaysItsClockIsOffAsync(app);
        clock.Offset = TimeSpan.FromSeconds(Math.CopySign(0.5, seconds));
        await BecomesReadyAsync(app);
    }

    [Fact]
    public async Task A_database_that_does_not_let_the_server_in_is_named_and_tried_again()
    {
        var existing = await new PostgresFixture().CreateDatabaseAsync();
        var missing = new NpgsqlConnectionStringBuilder(existing);
        missing.Database += "_later";
        await using var app = await LedgerApp.StartAsync(missing.ConnectionString, mustBeReady: false);
        await RefusesAsync(app, $"The database does not let this server in: database \"{missing.Database}\" does not exist (3D000).");

        await using var operatorsOwn = Operator(existing);
        await operatorsOwn.ExecuteAsync($"create database {missing.Database}");
        await BecomesReadyAsync(app);
        await SpendsAsync(app);

        // As when it is restored from a dump: gone for a while, also for a server that runs.
        var account = await app.OpenAccountAsync(credits: 100);
        (await SpendAsync(app, account, "before")).ShouldBe(200);
        await operatorsOwn.ExecuteAsync(
            $"""
            alter database {missing.Database} allow_connections false;
            select pg_terminate_backend(pid) from pg_stat_activity where datname = '{missing.Database}'
            """
        );
        await Eventually.IsSoAsync(() =>
            operatorsOwn.QueryAsync<bool>($"select not exists (select from pg_stat_activity where datname = '{missing.Database}')")
        );
        await operatorsOwn.ExecuteAsync($"alter database {missing.Database} rename to {missing.Database}_aside");
        await Eventually.IsSoAsync(async () => (await SpendAsync(app, account, "away")).Status == 503);
        await operatorsOwn.ExecuteAsync(
            $"""
            alter database {missing.Database}_aside rename to {missing.Database};
            alter database {missing.Database} allow_connections true
            """
        );
        await BecomesReadyAsync(app);

        // A connection of the pool may have been broken in between.
        await Eventually.IsSoAsync(async () => (await SpendAsync(app, account, "back")).Status != 503);
        (await SpendAsync(app, account, "back")).ShouldBe(200);
    }

    [Fact]
    public async Task A_price_list_that_a_newer_server_has_written_is_named_as_such()
    {
        var database = await new PostgresFixture().CreateDatabaseAsync();
        await (await LedgerApp.StartAsync(database)).DisposeAsync();
        await using var operatorsOwn = Operator(database);
        await operatorsOwn.ExecuteAsync("update mt_events set type = 'rate_card_repriced' where stream_id = 'rate-card'");
        await using var app = await LedgerApp.StartAsync(database, mustBeReady: false);
        await RefusesAsync(app, "The log holds events that this server does not know: a newer one has written them. Upgrade this server.");

        await operatorsOwn.ExecuteAsync("update mt_events set type = 'rate_card_published' where stream_id = 'rate-card'");
        await BecomesReadyAsync(app);
    }

    private static async Task SaysItsClockIsOffAsync(LedgerApp app)
    {
        var answer = (await app.GetAsync("/health/ready")).ShouldBe(503).ShouldHave("Retry-After", "1");
        answer.Text("status").ShouldBe("not_ready");
        answer
            .Text("reason")
            .ShouldNotBeNull()
            .ShouldMatch(@"\AThis node's clock is [0-9.]+ s off the database's; at most 1 s is allowed\.\z");
    }

    private static async Task RefusesAsync(LedgerApp app, string reason)
    {
        var answer = (await app.NotReadyAsync(reason)).ShouldBe(503).ShouldHave("Retry-After", "1");
        answer.Text("status").ShouldBe("not_ready");
    }

    private static Task BecomesReadyAsync(LedgerApp app)
    {
        var last = "";
        return Eventually.IsSoAsync(
            async () =>
            {
                var answer = await app.GetAsync("/health/ready");
                last = answer.ToString();
                return answer.Status == 200;
            },
            () => last
        );
    }

    // What was unready may still be noticed by a connection that was made in that time: asked again, as its answer invites to.
    private static async Task SpendsAsync(LedgerApp app)
    {
        TestAccount? account = null;
        await Eventually.IsSoAsync(async () =>
        {
            try
            {
                account ??= await app.OpenAccountAsync(credits: 100);
            }
            catch (LedgerUnavailableException)
            {
                return false;
            }

            return true;
        });
        var answer = await SpendAsync(app, account!, "r");
        await Eventually.IsSoAsync(async () => answer.Status != 503 || (answer = await SpendAsync(app, account!, "r")).Status != 503);
        answer.ShouldBe(200, """{"ok":true,"charged":5,"balance_after":95}""");
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

    /// <summary>Connections that no fault of the test's own making concerns.</summary>
    private static NpgsqlDataSource Operator(string database) =>
        NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(database)
            {
                Pooling = false,
                ApplicationName = "operator",
                Options = "-c default_transaction_read_only=off",
            }.ConnectionString
        );

    // A setting of the database counts for new sessions only, so the old ones are ended.
    private static string ReadOnly(string value) =>
        $"""
            do $$
            begin
              execute format('alter database %I set default_transaction_read_only = {value}', current_database());
            end
            $$;
            select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
            """;

    private sealed class OffsetClock : TimeProvider
    {
        private long _offset;

        public TimeSpan Offset
        {
            get => new(Interlocked.Read(ref _offset));
            set => Interlocked.Exchange(ref _offset, value.Ticks);
        }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Offset;
    }
}
