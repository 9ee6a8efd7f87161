using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Projections.Keys;

namespace Ledger.Projections.Tests;

public sealed class UsageTests
{
    private static readonly AccountId Id = new("a000");

    [Fact]
    public async Task A_day_ends_at_midnight_UTC_to_the_microsecond()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await OpenAsync(ledger);
        var midnight = new DateTimeOffset(2021, 1, 3, 0, 0, 0, TimeSpan.Zero);
        history.Now = midnight.AddMicroseconds(-1);
        await history.SendAsync(new Spend(Id, new("key"), "chat", Quantity.Of(1), "before"));
        history.Now = midnight;
        await history.SendAsync(
            new Spend(Id, new("key"), "chat", Quantity.Of(2), "at"),
            new Spend(Id, new("key"), "chat", Quantity.Of(4), "after")
        );

        (await LinesAsync(ledger)).ShouldBe(["2021-01-02 key chat 1 1000000000 1000000 0", "2021-01-03 key chat 2 6000000000 6000000 0"]);
    }

    [Fact]
    public async Task Charges_are_dated_when_charged_and_reversals_when_reversed()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await OpenAsync(ledger);
        await history.SendAsync(
            new Spend(Id, new("key"), "chat", Quantity.Of(3), "spent"),
            new PlaceHold(Id, new("key"), "search", Quantity.Of(10), "held", TimeSpan.FromDays(3))
        );
        history.Now += TimeSpan.FromDays(1);
        await history.SendAsync(new SettleHold(Id, new("key"), new(EventIds.Use(Id, "search", "held")), Quantity.Of(4)));
        history.Now += TimeSpan.FromDays(1);
        await history.SendAsync(new ReverseSpend(Id, new(EventIds.Use(Id, "chat", "spent")), "why"));

        (await LinesAsync(ledger)).ShouldBe([
            "2021-01-02 key chat 1 3000000000 3000000 0",
            "2021-01-03 key search 1 4000000000 2000000 0",
            "2021-01-04 key chat 0 0 0 3000000",
        ]);
    }

    [Fact]
    public async Task Batches_add_up_on_one_row_per_day_key_and_tool()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await OpenAsync(ledger);
        await history.SendAsync(Samples.Key(Id, "other"));
        for (var n = 0; n < 5; n++)
        {
            await history.SendAsync(
                new Spend(Id, new("key"), "chat", Quantity.Of(1), $"{n}a"),
                new Spend(Id, new("key"), "ping", Quantity.Of(1), $"{n}b"),
                new Spend(Id, new("other"), "chat", Quantity.Parse("0.1"), $"{n}c")
            );
        }

        (await LinesAsync(ledger)).ShouldBe([
            "2021-01-02 key chat 5 5000000000 5000000 0",
            "2021-01-02 key ping 5 5000000000 0 0",
            "2021-01-02 other chat 5 500000000 5000000 0",
        ]);
    }

    [Fact]
    public async Task What_each_key_was_charged_since_a_day_is_less_what_was_given_back()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await OpenAsync(ledger);
        await history.SendAsync(new Spend(Id, new("key"), "chat", Quantity.Of(8), "old"));
        history.Now += TimeSpan.FromDays(1);
        await history.SendAsync(
            Samples.Key(Id, "other"),
            new Spend(Id, new("key"), "chat", Quantity.Of(3), "1"),
            new Spend(Id, new("other"), "chat", Quantity.Of(2), "2")
        );
        await history.SendAsync(new ReverseSpend(Id, new(EventIds.Use(Id, "chat", "1")), "why"));
        var queries = new KeyQueries(ledger.Database);

        (await queries.UsageSinceAsync(Id, new(2021, 1, 3), default)).ShouldBe(
            new Dictionary<KeyId, KeyUsage> { [new("key")] = new(0, 0), [new("other")] = new(2_000_000, 0) },
            ignoreOrder: true
        );
        (await queries.UsageSinceAsync(Id, new(2021, 1, 2), default))[new("key")].ShouldBe(new(8_000_000, 0));
        (await queries.UsageSinceAsync(new("nobody"), new(2021, 1, 2), default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_key_is_found_by_the_hash_of_its_secret_revoked_or_not()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await OpenAsync(ledger);
        var queries = new KeyQueries(ledger.Database);
        (await queries.FindBySecretAsync("hash-a000-key", default)).ShouldBe(new KeyOwner(Id, new("key"), 1, null));
        await history.SendAsync(new Ledger.Domain.Keys.RevokeKey(Id, new("key"), null));
        (await queries.FindBySecretAsync("hash-a000-key", default)).ShouldBe(new KeyOwner(Id, new("key"), 1, null));
        (await queries.FindBySecretAsync("HASH-a000-key", default)).ShouldBeNull();
    }

    [Fact]
    public async Task Two_keys_cannot_share_a_secret()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await OpenAsync(ledger);
        (
            await Should.ThrowAsync<Npgsql.PostgresException>(() =>
                history.SendAsync(Samples.Key(Id, "other") with { SecretHash = "hash-a000-key" })
            )
        ).SqlState.ShouldBe(Npgsql.PostgresErrorCodes.UniqueViolation);
    }

    private static Task<IReadOnlyList<string>> LinesAsync(LedgerDatabase ledger) =>
        ledger.LinesAsync(
            "select concat_ws(' ', u.day, u.key_id, u.tool, u.requests, u.units_nanos, u.credits, u.credits_reversed) from usage_daily u order by u.day, u.key_id, u.tool"
        );

    private static async Task<History> OpenAsync(LedgerDatabase ledger)
    {
        var history = await ledger.OpenHistoryAsync(1, 1);
        await history.SendAsync(
            new OpenAccount(Id, null),
            new GrantCredits(Id, Amount.Credits(100), PocketSource.Payg, null, null, "operator", "1", null),
            Samples.Key(Id, "key")
        );
        return history;
    }
}
