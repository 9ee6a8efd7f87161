using Ledger.Faults.Machine;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Faults;

/// <summary>PostgreSQL has committed, and its answer does not arrive: whoever asked is told what was done, once the server knows.</summary>
public sealed class LostAnswerTests : IAsyncLifetime
{
    private LedgerApp _other = null!;
    private LedgerApp _app = null!;
    private Proxy _proxy = null!;
    private TestAccount _account = null!;

    public async ValueTask InitializeAsync()
    {
        _other = await LedgerApp.StartAsync();
        var direct = new NpgsqlConnectionStringBuilder(_other.Database);
        _proxy = new(Path.Combine(direct.Host!, $".s.PGSQL.{direct.Port}"));
        var through = new NpgsqlConnectionStringBuilder(PostgresFixture.Impatient(_other.Database))
        {
            Host = "127.0.0.1",
            Port = _proxy.Port,
            SslMode = SslMode.Disable,
            GssEncryptionMode = GssEncryptionMode.Disable,
        };
        _app = await LedgerApp.StartAsync(
            through.ConnectionString,
            _other.Clock,
            settings: new Dictionary<string, string> { ["Ledger:RecoveryPatience"] = "00:01:00" }
        );
        _account = await _app.OpenAccountAsync(credits: 100);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _proxy.DisposeAsync();
        await _other.DisposeAsync();
    }

    [Fact]
    public async Task A_spend_is_answered_by_itself_and_is_no_repeat()
    {
        var swallowed = _proxy.SwallowAnswer();
        var spend = SpendAsync();
        await swallowed;
        (await spend).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":95}""").ShouldHave("Idempotent-Replayed", null);
        (await SpendAsync()).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":95}""").ShouldHave("Idempotent-Replayed", "true");
    }

    [Fact]
    public async Task A_spend_that_was_charged_before_its_key_was_revoked_is_not_told_that_it_was_refused()
    {
        var swallowed = _proxy.SwallowAnswer(thenRefuses: true);
        var spend = SpendAsync();
        await swallowed;
        await _other.RevokeAsync(_account);
        _proxy.Refuse(false);
        (await spend).ShouldBe(200, """{"ok":true,"charged":5,"balance_after":95}""");
        (await SpendAsync()).ShouldBeRefused(401, "auth_required");
        (await _other.AvailableAsync(_account.Id)).ShouldBe(95);
    }

    [Fact]
    public async Task A_key_that_was_created_is_told_with_its_secret()
    {
        var swallowed = _proxy.SwallowAnswer();
        var creation = _app.PostAsync($"/admin/accounts/{_account.Id}/keys", LedgerApp.AdminKey, new { name = "new" });
        await swallowed;
        var key = (await creation).ShouldBe(201).Text("key")!;
        (await _app.PostAsync("/api/v1/tools/check", key, new { tool = "chat", units = 1 })).ShouldBe(200);
    }

    [Fact]
    public async Task An_account_that_was_opened_is_told_with_its_id()
    {
        var swallowed = _proxy.SwallowAnswer();
        var opening = _app.PostAsync("/admin/accounts", LedgerApp.AdminKey, new { email = "new@example.com" });
        await swallowed;
        var id = (await opening).ShouldBe(201).Text("account_id");
        (await _app.GetAsync($"/admin/accounts/{id}", LedgerApp.AdminKey)).ShouldBe(200);
        (await _app.PostAsync("/admin/accounts", LedgerApp.AdminKey, new { email = "new@example.com" })).ShouldBe(409);
    }

    [Fact]
    public async Task A_hold_that_was_settled_late_is_told_so()
    {
        var hold = (
            await _app.PostAsync(
                "/api/v1/tools/reserve",
                _account.Key,
                new
                {
                    tool = "chat",
                    units = 2,
                    reference = "h",
                    ttl_seconds = 1,
                }
            )
        ).Text("hold_id");
        _app.Clock.Advance(TimeSpan.FromMinutes(1));

        // One append then says that the hold expired, and that it was settled all the same.
        var swallowed = _proxy.SwallowAnswer();
        var settlement = _app.PostAsync("/api/v1/tools/settle", _account.Key, new { hold_id = hold, units = 1 });
        await swallowed;
        (await settlement).ShouldBe(200).Text("charged").ShouldBe("5");
        (await _other.EventsAsync(_account.Id)).Select(stored => stored.Type).TakeLast(2).ShouldBe(["hold_expired", "hold_settled_late"]);
    }

    private Task<Answer> SpendAsync() =>
        _app.PostAsync(
            "/api/v1/tools/spend",
            _account.Key,
            new
            {
                tool = "chat",
                units = 1,
                reference = "r",
            }
        );
}
