using System.Text.RegularExpressions;
using Ledger.Api.Tests.Dialects.Admin;
using Ledger.Api.Tests.Docs;
using Ledger.Api.Tests.Gateway;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Journal;
using Ledger.Projections.Rebuild;
using Ledger.Testing;
using Ledger.Upstream;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Ledger.Api.Tests.Operating;

/// <summary>The SQL of docs/operating/bi.md, pasted: its sums are the API's, and its role can do nothing else.</summary>
public sealed class ReportRoleTests : IAsyncLifetime
{
    private readonly TestFolder _folder = TestFolder.Create();
    private PostgresNode _postgres = null!;
    private GatewayApp _gateway = null!;
    private TestAccount _account = null!;
    private string _provisioning = "";
    private NpgsqlDataSource _reports = null!;

    private LedgerApp App => _gateway.App;

    /// <summary>Two days of tools, calls, packs, holds and a reversal; then the page's role.</summary>
    public async ValueTask InitializeAsync()
    {
        _postgres = await PostgresNode.CreateAsync(_folder.Path, "reports");
        _gateway = await GatewayApp.StartAsync(database: _postgres.ConnectionString);
        _account = await App.OpenAccountAsync(credits: 1000);
        await App.GrantAsync(_account.Id, Amount.Usd(10), PocketSource.Prepaid);
        await App.GrantAsync(_account.Id, Amount.Credits(20_000), PocketSource.Pack, "openai/plain");
        (_, _provisioning) = await App.CreateKeyAsync(_account.Id, KeyKind.Provisioning);
        _gateway.Upstream.Otherwise(UpstreamScript.Says("Hello").Using(new(100, 50, CacheRead: 10)));
        var given = await SpendAsync("chat", "given back");
        await SpendAsync("sfx", "kept");
        await CallAsync(new { model = "auto", messages = Hello });
        await CallAsync(
            new
            {
                provider = "openai",
                model = "plain",
                messages = Hello,
            }
        );
        App.Clock.Advance(TimeSpan.FromDays(1));
        await SpendAsync("chat", "the next day");
        await App.ExecuteAsync(new ReverseSpend(_account.Id, new(Guid.Parse(given.Header("x-ledger-spend-id")!)), "A test"));
        var sums = App.Services.GetRequiredService<JournalSums>();
        await sums.AddAsync(await App.Services.GetRequiredService<IEventLog>().ReadLogAsync(0, 1000, default), default);

        await using (var owner = _postgres.Connect())
            await owner.ExecuteAsync(Blocks()[0]);
        _reports = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(_postgres.ConnectionString)
            {
                Username = "ledger_reports",
                Password = "change-me",
                Pooling = false,
            }.ConnectionString
        );
    }

    public async ValueTask DisposeAsync()
    {
        await _reports.DisposeAsync();
        await _gateway.DisposeAsync();
        await _postgres.DisposeAsync();
        await _folder.DisposeAsync();
    }

    [Fact]
    public async Task From_a_charge_an_index_leads_to_its_reversal()
    {
        await using var database = _postgres.Connect();
        await database.ExecuteAsync(
            """
            insert into mt_events (seq_id, id, stream_id, version, data, type)
            select
              1000000 + n,
              md5(n::text)::uuid,
              'account-many',
              n,
              jsonb_build_object('spend', md5((n - 10000)::text)::uuid),
              case when n <= 10000 then 'credits_spent' else 'spend_reversed' end
            from generate_series(1, 20000) n;
            analyze mt_events
            """
        );
        var plan = await database.LinesAsync("explain select * from usage u where u.position > 1000000 order by u.position limit 100");
        string.Join('\n', plan).ShouldMatch(@"ix_mt_events_reversals[^\n]*\n\s*Index Cond: \([^\n]*stream_id[^\n]*\(e\.id\)::text");
        (await database.QueryAsync<long>("select count(*) from usage u where u.stream_id <> 'account-many' and u.reversed")).ShouldBe(1);
    }

    [Fact]
    public async Task Its_sums_are_what_the_API_says()
    {
        var totals = (await App.GetAsync("/v1/account/activity?from=2026-07-01&to=2026-07-31", _provisioning)).ShouldBe(200);
        var expected = string.Join(
            ' ',
            new[] { "requests", "input_tokens", "output_tokens", "credits", "usd_micros", "pack_credits" }.Select(name =>
                totals.Text("totals", name)
            )
        );
        var account = _account.Id.Value;
        (
            await _reports.LinesAsync(
                $"""
                select concat_ws(
                  ' ',
                  count(*),
                  coalesce(sum(u.input_tokens + u.cache_read_tokens + u.cache_write_tokens + u.cache_write_1h_tokens), 0),
                  coalesce(sum(u.output_tokens), 0),
                  trim_scale(coalesce(sum(u.charged) filter (where u.unit = 'credits' and not u.reversed and u.entry not like 'packs/%'), 0)),
                  trim_scale(coalesce(ceil(sum(u.charged) filter (where u.unit = 'usd') * 1000000), 0)),
                  trim_scale(coalesce(sum(u.charged) filter (where u.unit = 'credits' and u.entry like 'packs/%'), 0))
                )
                from usage u
                where u.account_id = '{account}'
                """
            )
        ).ShouldBe([expected]);
        (
            await _reports.LinesAsync(
                $"""
                select concat_ws(
                  ' ',
                  sum(u.requests),
                  sum(u.input_tokens + u.cache_read_tokens + u.cache_write_tokens),
                  sum(u.output_tokens),
                  trim_scale(sum(u.credits - u.credits_reversed) / 1000000),
                  trim_scale(ceil(sum(u.usd) / 1000)),
                  trim_scale(sum(u.pack_credits) / 1000000)
                )
                from usage_daily u
                where u.account_id = '{account}'
                """
            )
        ).ShouldBe([expected]);

        // What a receipt says of one charge, and what the books say of all.
        (
            await _reports.LinesAsync(
                "select concat_ws(' ', u.tool, u.charged::float8, u.unit, u.card, u.entry, u.paid, u.debt::float8) from usage u where u.reference = 'kept'"
            )
        )
            .ShouldHaveSingleItem()
            .ShouldMatch("^sfx [0-9]+ credits 1 tools/sfx \\[\\{\"parts\": [0-9]+, \"pocket\": 1\\}\\] 0$");
        (await _reports.LinesAsync("select u.reference from usage u where u.reversed and u.reversed_at > u.charged_at")).ShouldBe([
            "given back",
        ]);
        (
            await _reports.LinesAsync(
                "select distinct concat_ws(' ', u.provider, u.model, u.outcome) from usage u where u.model is not null"
            )
        ).ShouldContain("openai openai/plain Completed");
        var trial = (await App.AdminGetAsync("/reports/trial-balance?at=2026-07-31"))
            .Json.GetProperty("data")
            .EnumerateArray()
            .Where(line => line.GetProperty("account").GetString()!.StartsWith("revenue:", StringComparison.Ordinal))
            .Sum(line => line.GetProperty("unit").GetString() == "credits" ? -line.GetProperty("balance").GetDecimal() : 0);
        (
            await _reports.QueryAsync<decimal>(
                "select coalesce(sum(u.charged) filter (where u.unit = 'credits' and not u.reversed), 0) from usage u"
            )
        ).ShouldBe(trial);
    }

    [Fact]
    public async Task The_pages_examples_run()
    {
        var examples = Blocks()[1..];
        examples.Count.ShouldBe(3);
        foreach (var example in examples)
        {
            var sql = example.Trim().TrimEnd(';').Replace("ACCOUNT", _account.Id.Value, StringComparison.Ordinal);
            (await _reports.QueryAsync<long>($"select count(*) from ({sql}) t")).ShouldBeGreaterThan(0, example);
        }
    }

    [Theory]
    [InlineData("select * from people")]
    [InlineData("select * from credentials")]
    [InlineData("select * from keys")]
    [InlineData("select * from signing_keys")]
    [InlineData("select * from notification_targets")]
    [InlineData("select * from mt_events")]
    [InlineData("begin read write; delete from usage_hourly")]
    [InlineData("begin read write; update pockets set remaining = 0")]
    [InlineData("begin read write; select nextval('mt_events_sequence')")]
    [InlineData("begin read write; create table public.mine (id int)")]
    public async Task Nothing_else_can_be_read_and_nothing_written(string sql) =>
        (await Should.ThrowAsync<PostgresException>(() => _reports.ExecuteAsync(sql))).SqlState.ShouldBe(
            PostgresErrorCodes.InsufficientPrivilege
        );

    [Fact]
    public async Task It_keeps_no_snapshot_for_long_and_keeps_its_rights_through_a_rebuild()
    {
        (
            await _reports.LinesAsync(
                """
                select current_setting(s)
                from unnest(array['default_transaction_read_only', 'statement_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout']) s
                """
            )
        ).ShouldBe(["on", "1min", "10s", "2s"]);
        (await Should.ThrowAsync<PostgresException>(() => _reports.ExecuteAsync("create temp table mine (id int)"))).SqlState.ShouldBe(
            PostgresErrorCodes.ReadOnlySqlTransaction
        );
        await using var owner = _postgres.Connect();
        await new Rebuilder(owner, TimeProvider.System).RebuildAsync("all", null, default);
        (await _reports.QueryAsync<long>("select count(*) from usage_daily")).ShouldBeGreaterThan(0);
        (await _reports.QueryAsync<long>("select count(*) from balances")).ShouldBe(2);
    }

    private static List<string> Blocks() =>
        [
            .. Regex
                .Matches(Repository.Read("docs/operating/bi.md"), "^```sql\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)
                .Select(match => match.Groups[1].Value),
        ];

    private static object[] Hello => [new { role = "user", content = "Hello" }];

    private async Task<Answer> SpendAsync(string tool, string reference) =>
        (
            await App.PostAsync(
                "/api/v1/tools/spend",
                _account.Key,
                new
                {
                    tool,
                    units = 1,
                    reference,
                }
            )
        ).ShouldBe(200);

    private async Task CallAsync(object body) => (await App.PostAsync("/v1/chat/completions", _account.Key, body)).ShouldBe(200);
}
