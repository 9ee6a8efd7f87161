using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Alerts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using Ledger.Projections.Accounts;
using Ledger.Projections.Rebuild;

namespace Ledger.Projections.Tests;

public sealed class CheckpointTests
{
    private static readonly AccountId Id = new("a000");

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Every_state_that_random_histories_reach_comes_back_from_a_checkpoint_as_it_was(int seed)
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(seed, 6);
        var checkpoints = new AccountCheckpoints(ledger.Database, every: 1);
        for (var step = 0; step < 80; step++)
        {
            var before = history.States.ToDictionary();
            await history.StepAsync();
            foreach (var (id, state) in history.States)
            {
                if (state == before[id])
                    continue;
                await checkpoints.SaveAsync([state], default);
                var found = await checkpoints.FindAsync(id, long.MaxValue, default);
                History.Describe(found.ShouldNotBeNull()).ShouldBe(History.Describe(state));
                History.Describe((await checkpoints.FindAsync(id, state.Account.Version, default))!).ShouldBe(History.Describe(state));
            }
        }
    }

    [Theory]
    [InlineData(1, 7)]
    [InlineData(2, 1)]
    [InlineData(3, 23)]
    public async Task A_fold_from_a_checkpoint_is_the_fold_from_the_first_event_at_every_version(int seed, int every)
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(seed, 1);
        for (var step = 0; step < 120; step++)
            await history.StepAsync();
        var last = history.States[Id].Account.Version;
        last.ShouldBeGreaterThan(50);

        var whole = new AccountSnapshots(ledger.Database, ledger.Log, new(ledger.Database, every: 1));
        var log = new CountingLog(ledger.Log);
        var some = new AccountSnapshots(ledger.Database, log, new(ledger.Database, every));
        (await log.CountAsync(() => some.FoldAsync(Id, long.MaxValue, default))).ShouldBe(last);
        var left = string.Join(' ', Enumerable.Range(1, (int)last / every).Select(n => n * every));
        (await VersionsAsync(ledger)).ShouldBe(left);
        for (var version = 0L; version <= last + 1; version++)
        {
            var read = await log.CountAsync(async () =>
                History
                    .Describe(await some.FoldAsync(Id, version, default))
                    .ShouldBe(History.Describe(await whole.FoldWholeAsync(Id, version, default)))
            );
            read.ShouldBe(Math.Min(version, last) % every);
        }

        (await VersionsAsync(ledger)).ShouldBe(left, "who checks leaves nothing behind");
    }

    [Fact]
    public async Task The_form_of_the_state_is_the_one_that_its_format_number_stands_for()
    {
        // Who changes the text below changes the format: AccountCheckpoints.Format then gets the next number.
        AccountCheckpoints.Format.ShouldBe((short)4);
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(1, 1);
        await history.SendAsync(
            new OpenAccount(Id, "DE"),
            new GrantCredits(Id, Amount.Credits(3), PocketSource.Bonus, null, LedgerDatabase.Start.AddDays(1), "operator", "1", null),
            new GrantCredits(Id, Amount.Usd(2), PocketSource.Pack, "openai/gpt", null, "operator", "2", null),
            new GrantCredits(Id, Amount.Credits(1), PocketSource.Subscription, null, null, "operator", "3", null),
            new CreateKey(
                Id,
                new("key"),
                "Name",
                KeyKind.Inference,
                KeyBilling.Subscription,
                "production",
                "hash",
                "lk",
                "abcd",
                Amount.Credits(9),
                Amount.Usd(1),
                LimitReset.Weekly,
                ["one", "openai/gpt"],
                new(10, Quantity.Parse("0.5"), false),
                LedgerDatabase.Start.AddDays(2)
            ),
            new PlaceHold(Id, new("key"), "search", Quantity.Of(3), "ü", TimeSpan.FromMinutes(5)),
            new Spend(Id, new("key"), "chat", Quantity.Of(2), "s"),
            new LinkCustomer(Id, "stripe", "cus_1"),
            new OpenOrder(Id, new("order-1"), OrderKind.Pack, "pack", null, "stripe", "cus_1"),
            new AttachSession(Id, new("order-1"), "cs_1"),
            new ConfirmPayment(
                Id,
                new("order-1"),
                new("stripe", "cs_1", "pi_1", Amount.Usd(9), "USD", "cus_1", null, LedgerDatabase.Start)
            ),
            new DisputeOrder(Id, new("order-1"), "stripe", "dp_1", Amount.Usd(9), "USD"),
            new OpenOrder(Id, new("order-2"), OrderKind.Payg, null, Amount.Usd(5), "stripe", null),
            new FailOrder(Id, EventIds.Request(Id, "2"), new("order-2"), "card_declined"),
            new OpenOrder(Id, new("order-3"), OrderKind.Subscription, "small", null, "stripe", null),
            new ConfirmPayment(Id, new("order-3"), new("stripe", "cs_3", null, Amount.Usd(10), "USD", null, "sub_1", LedgerDatabase.Start)),
            new ChangeSubscription(Id, EventIds.Request(Id, "3"), "large", AtPeriodEnd: true),
            Call("c1"),
            Call("c2"),
            new SettleCall(
                Id,
                new(EventIds.Call(Id, "chat/completions", "c2")),
                new("openai", "gpt", new(24, 0, 0, 0, 86), false, CallOutcome.Completed, 1_200, null, null)
            ),
            new SetAlerts(Id, EventIds.Request(Id, "4"), Amount.Credits(90), Amount.Credits(1)),
            new SetAutoTopup(Id, EventIds.Request(Id, "5"), true, Amount.Credits(90), Amount.Usd(6), 2, "stripe"),
            new RevokeKey(Id, new("key"), null),
            new SuspendAccount(Id, EventIds.Request(Id, "1"), "why")
        );
        await ledger.Snapshots.Checkpoints.SaveAsync([history.States[Id]], default);
        (
            await ledger.LinesAsync("select e.key || ' ' || e.value from account_checkpoints c, jsonb_each(c.state) e order by e.key")
        ).ShouldBe([
            """billing {"alerts": {"level": "Warning", "warning": {"credits": 90000000}, "critical": {"credits": 1000000}}, "autoTopup": {"isOn": true, "price": {"usd": 6000000000}, "recent": [1609588800000000], "isBelow": true, "pending": "aefa739d93a538f4", "provider": "stripe", "maxPerDay": 2, "threshold": {"credits": 90000000}}, "customers": {"stripe": "cus_1"}, "subscription": {"id": "4ba46b82-f945-8417-9061-32f1028f0fcf", "next": {"card": 1, "tier": "large", "price": {"usd": 30000000000}, "credits": {"credits": 60000000}, "tokensPer24h": 5000}, "quota": {"held": 150, "used": 110}, "terms": {"card": 1, "tier": "small", "price": {"usd": 10000000000}, "credits": {"credits": 20000000}, "tokensPer24h": 1000}, "anchor": 1609588800000000, "provider": "stripe", "reference": "sub_1", "lastResetAt": 1609588800000000}}""",
            """
            country "DE"
            """,
            """credits {"spent": 2000000, "granted": 64000000, "clawedBack": 40000000}""",
            """holds [{"id": "4ba46b82-f945-858c-86cc-4a0df76d28dd", "key": "key", "card": 1, "tool": "search", "entry": "tools/search", "price": "0.5", "units": "3", "amount": {"credits": 2000000}, "placedAt": 1609588800000000, "allocated": [{"parts": 2000000, "pocket": 1}], "expiresAt": 1609589100000000, "reference": "ü"}, {"id": "4ba46b82-f945-8f76-b240-cee956a130c2", "key": "key", "call": {"asked": "auto", "input": 100, "quota": {"tokens": 150, "subscription": "4ba46b82-f945-8417-9061-32f1028f0fcf"}, "digest": "digest", "maxOutput": 50}, "card": 1, "tool": "chat/completions", "entry": "tiers/small", "units": "150", "amount": {"usd": 0}, "placedAt": 1609588800000000, "allocated": [], "expiresAt": 1609589100000000, "reference": "c1"}]""",
            """keys [{"id": "key", "name": "Name", "used": 4000000, "limit": {"credits": 9000000}, "prefix": "lk", "secret": 1, "window": 105398, "billing": "Subscription", "lastFour": "abcd", "limitUsd": {"usd": 1000000000}, "createdAt": 1609588800000000, "expiresAt": 1609761600000000, "rateLimit": {"burst": 10, "refillPerSecond": "0.5"}, "revokedAt": 1609588800000000, "limitReset": "Weekly", "secretHash": "hash", "environment": "production", "allowedModels": ["one", "openai/gpt"]}]""",
            """openedAt 1609588800000000""",
            """orders [{"id": "aefa739d93a538f4", "card": 1, "rate": "3", "gives": {"credits": 18000000}, "price": {"usd": 6000000000}, "customer": "cus_1", "disputes": [], "openedAt": 1609588800000000, "provider": "stripe", "expiresAt": 1609675200000000, "isAutomatic": true}, {"id": "order-1", "card": 1, "item": "pack", "kind": "Pack", "gives": {"credits": 40000000}, "price": {"usd": 9000000000}, "scope": "openai/gpt", "intent": "pi_1", "paidAt": 1609588800000000, "pocket": 4, "status": "Paid", "payment": "cs_1", "session": "cs_1", "customer": "cus_1", "disputes": [{"id": "dp_1", "amount": 9000000000}], "openedAt": 1609588800000000, "provider": "stripe", "expiresAt": 1609675200000000, "validDays": 30, "clawedBack": 40000000}, {"id": "order-2", "card": 1, "rate": "3", "gives": {"credits": 15000000}, "price": {"usd": 5000000000}, "reason": "card_declined", "status": "Failed", "disputes": [], "openedAt": 1609588800000000, "provider": "stripe", "expiresAt": 1609675200000000}, {"id": "order-3", "card": 1, "item": "small", "kind": "Subscription", "gives": {"credits": 20000000}, "price": {"usd": 10000000000}, "terms": {"card": 1, "tier": "small", "price": {"usd": 10000000000}, "credits": {"credits": 20000000}, "tokensPer24h": 1000}, "paidAt": 1609588800000000, "pocket": 5, "status": "Paid", "payment": "cs_3", "disputes": [], "openedAt": 1609588800000000, "provider": "stripe", "expiresAt": 1609675200000000}]""",
            """pockets [{"id": 1, "held": 2000000, "source": "Bonus", "granted": 3000000, "openedAt": 1609588800000000, "openedBy": "4ba46b82-f945-8a60-b224-a41ddc5374ba", "expiresAt": 1609675200000000, "remaining": 2000000}, {"id": 2, "unit": "Usd", "scope": "openai/gpt", "source": "Pack", "granted": 2000000000, "openedAt": 1609588800000000, "openedBy": "4ba46b82-f945-846a-8ee6-a8562ef6de25", "remaining": 2000000000}, {"id": 3, "granted": 1000000, "openedAt": 1609588800000000, "openedBy": "4ba46b82-f945-8893-b062-39c19bc252bd"}, {"id": 4, "scope": "openai/gpt", "source": "Pack", "granted": 40000000, "openedAt": 1609588800000000, "openedBy": "4ba46b82-f945-8af4-ba86-56fb6b837e39", "expiresAt": 1612180800000000}, {"id": 5, "granted": 20000000, "openedAt": 1609588800000000, "openedBy": "4ba46b82-f945-8ca0-b475-76a65e77fc31", "expiresAt": 1612267200000000, "remaining": 20000000}]""",
            """referral {}""",
            """signInsEndedAt 1609588800000000""",
            """signedOut []""",
            """
            status "Suspended"
            """,
            """usd {"granted": 2000000000}""",
        ]);
    }

    private static PlaceCallHold Call(string reference) =>
        new(
            Id,
            new("key"),
            "chat/completions",
            reference,
            new("auto", CallPayment.QuotaOrBalance, 100, 50, Digest: "digest"),
            TimeSpan.FromMinutes(5)
        );

    [Fact]
    public async Task Checkpoints_of_another_format_are_ignored()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(5, 1);
        for (var step = 0; step < 120; step++)
            await history.StepAsync();
        var snapshots = new AccountSnapshots(ledger.Database, ledger.Log, new(ledger.Database, every: 10));
        await snapshots.FoldAsync(Id, long.MaxValue, default);
        (await VersionsAsync(ledger)).ShouldStartWith("10 20 30 40");
        await ledger.ExecuteAsync(
            """update account_checkpoints set format = 99, state = jsonb_set(state, '{credits,granted}', '1') where version > 20"""
        );
        (await snapshots.Checkpoints.FindAsync(Id, long.MaxValue, default))!.Account.Version.ShouldBe(20);
        History.Describe(await snapshots.FoldAsync(Id, long.MaxValue, default)).ShouldBe(History.Describe(history.States[Id]));

        // And are replaced by whoever misses them.
        (await ledger.QueryAsync<long>("select count(*) from account_checkpoints where format = 99")).ShouldBe(0);
    }

    [Theory]
    [InlineData("update account_checkpoints set last_hash = sha256('other') where version > 20")]
    [InlineData("update account_checkpoints set state = '{}' where version > 20")]
    [InlineData("update account_checkpoints set state = '[1]' where version > 20")]
    [InlineData("""update account_checkpoints set state = state || '{"credits": "much"}' where version > 20""")]
    [InlineData("delete from account_checkpoints where version > 20")]
    public async Task A_checkpoint_that_does_not_belong_to_the_log_or_cannot_be_read_is_passed_over(string harm)
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(5, 1);
        for (var step = 0; step < 120; step++)
            await history.StepAsync();
        var snapshots = new AccountSnapshots(ledger.Database, ledger.Log, new(ledger.Database, every: 10));
        await snapshots.FoldAsync(Id, long.MaxValue, default);
        (await VersionsAsync(ledger)).ShouldStartWith("10 20 30 40");
        await ledger.ExecuteAsync(harm);
        (await snapshots.Checkpoints.FindAsync(Id, long.MaxValue, default))!.Account.Version.ShouldBe(20);
        History.Describe(await snapshots.FoldAsync(Id, long.MaxValue, default)).ShouldBe(History.Describe(history.States[Id]));
    }

    [Fact]
    public async Task Whoever_may_only_read_folds_without_leaving_checkpoints()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(5, 1);
        for (var step = 0; step < 40; step++)
            await history.StepAsync();
        await using var reader = Npgsql.NpgsqlDataSource.Create(
            new Npgsql.NpgsqlConnectionStringBuilder(ledger.ConnectionString)
            {
                Options = "-c default_transaction_read_only=on",
            }.ConnectionString
        );
        var snapshots = new AccountSnapshots(reader, new EventStore.NpgsqlEventLog(reader, []), new(reader, every: 10));
        History.Describe(await snapshots.FoldAsync(Id, long.MaxValue, default)).ShouldBe(History.Describe(history.States[Id]));
        (await VersionsAsync(ledger)).ShouldBe("");
    }

    [Fact]
    public async Task Wrong_checkpoints_are_reported_and_mended_and_missing_ones_are_written()
    {
        await using var ledger = await LongAsync();
        var rebuilder = new Rebuilder(ledger.Database, TimeProvider.System);
        (await rebuilder.CompareAsync("checkpoints", null, default)).ShouldBeEmpty("a missing checkpoint is no fault");
        await rebuilder.RebuildAsync("checkpoints", null, default);
        (await VersionsAsync(ledger)).ShouldBe("5000 10000");
        (await rebuilder.CompareAsync("all", null, default)).ShouldBeEmpty();
        var right = await DumpAsync(ledger);

        await ledger.ExecuteAsync(
            """
            update account_checkpoints set state = jsonb_set(state, '{pockets,0,remaining}', '1') where version = 5000;
            update account_checkpoints set at = at + interval '1 second' where version = 10000;
            insert into account_checkpoints select account_id, 99999999, format, at, last_hash, state from account_checkpoints where version = 5000;
            insert into account_checkpoints select 'nobody', version, format, at, last_hash, state from account_checkpoints where version = 5000;
            insert into account_checkpoints select account_id, 3, format, at, last_hash, state from account_checkpoints where version = 10000;
            insert into account_checkpoints select account_id, 6000, 99, at, last_hash, state from account_checkpoints where version = 10000;
            """
        );
        foreach (var model in (string[])["checkpoints", "all"])
        {
            var drifts = await rebuilder.CompareAsync(model, null, default);
            drifts.ShouldAllBe(drift => drift.Table == "account_checkpoints");
            drifts
                .Select(drift => $"{drift.Key} {(drift.Rebuilt is null ? "gone" : "changed")}")
                .Order(StringComparer.Ordinal)
                .ShouldBe([
                    """{"version": 10000, "account_id": "a000"} changed""",
                    """{"version": 3, "account_id": "a000"} changed""",
                    """{"version": 5000, "account_id": "a000"} changed""",
                    """{"version": 5000, "account_id": "nobody"} gone""",
                    """{"version": 99999999, "account_id": "a000"} gone""",
                ]);
        }

        await rebuilder.RebuildAsync("checkpoints", null, default);
        (await rebuilder.CompareAsync("all", null, default)).ShouldBeEmpty();
        await ledger.ExecuteAsync("delete from account_checkpoints where version = 3");
        (await DumpAsync(ledger)).ShouldBe(right);
    }

    [Fact]
    public async Task A_checkpoint_that_stands_anywhere_in_an_interval_is_enough_for_it()
    {
        await using var ledger = await LongAsync();
        var rebuilder = new Rebuilder(ledger.Database, TimeProvider.System);
        await ledger.Snapshots.Checkpoints.SaveAsync([await ledger.Snapshots.FoldAsync(Id, 5_321, default)], default);
        await ledger.ExecuteAsync("delete from account_checkpoints where version = 5000");
        await rebuilder.RebuildAsync("checkpoints", null, default);
        (await VersionsAsync(ledger)).ShouldBe("5321 10000");
    }

    [Fact]
    public async Task A_wallet_of_a_million_events_is_told_as_of_any_version_by_reading_five_thousand_at_most()
    {
        const int Million = 1_000_000;
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(1, 1);
        await history.SendAsync(
            new OpenAccount(Id, null),
            new GrantCredits(Id, Amount.Credits(Million), PocketSource.Payg, null, null, "operator", "1", null),
            Samples.Key(Id, "key"),
            new Spend(Id, new("key"), "chat", Quantity.Of(1), "4")
        );
        // In parts, so that none takes longer than a statement may on a machine that has other things to do.
        for (var first = 5; first <= Million; first += 100_000)
            await ledger.ExecuteAsync(
                $"""
                set synchronous_commit = off;
                insert into mt_events (seq_id, id, stream_id, version, data, type, timestamp, headers)
                select
                  nextval('mt_events_sequence'),
                  ('00000000-0000-8000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
                  m.stream_id,
                  n,
                  m.data || jsonb_build_object('reference', n::text),
                  m.type,
                  m.timestamp,
                  jsonb_build_object('hash', encode(sha256(n::text::bytea), 'base64'))
                from mt_events m
                cross join generate_series({first}, {Math.Min(first + 99_999, Million)}) n
                where m.version = 4;
                reset synchronous_commit
                """
            );
        // As an import does at its end: where nothing is known of so many rows, a page of them is found by sorting all of them.
        await ledger.ExecuteAsync($"update mt_streams set version = {Million}; analyze mt_events, mt_streams");
        await new Rebuilder(ledger.Database, TimeProvider.System).RebuildAsync("checkpoints", null, default);
        (await ledger.QueryAsync<long>("select count(*) from account_checkpoints")).ShouldBe(Million / 5000);

        var log = new CountingLog(ledger.Log);
        var snapshots = new AccountSnapshots(ledger.Database, log);
        foreach (var version in (long[])[4, 4_999, 5_000, 5_001, 9_999, 123_456, 500_000, 994_999, 999_999, Million, long.MaxValue])
        {
            var read = await log.CountAsync(async () =>
            {
                var (account, hash) = await snapshots.FoldAsync(Id, version, default);
                account.Version.ShouldBe(Math.Min(version, Million));
                account.Wallet.Available(Unit.Credits, LedgerDatabase.Start).ShouldBe(Amount.Credits(Million - account.Version + 3));
                if (version > 4)
                    hash.ToArray()
                        .ShouldBe(SHA256.HashData(Encoding.ASCII.GetBytes(account.Version.ToString(CultureInfo.InvariantCulture))));
            });
            read.ShouldBeLessThanOrEqualTo(5_000, $"events read for version {version}");
        }
    }

    private static async Task<LedgerDatabase> LongAsync()
    {
        var ledger = await LedgerDatabase.CreateAsync();
        await using var history = await ledger.OpenHistoryAsync(41, 1);
        await history.SendAsync(
            new OpenAccount(Id, null),
            new GrantCredits(Id, Amount.Credits(1_000_000), PocketSource.Payg, null, null, "operator", "1", null),
            Samples.Key(Id, "key")
        );
        for (var batch = 0; batch < 11; batch++)
            await history.SendAsync(
                Enumerable
                    .Range(batch * 1000, 1000)
                    .Select(n => new Spend(Id, new("key"), "chat", Quantity.Of(1), n.ToString(CultureInfo.InvariantCulture)))
            );
        return ledger;
    }

    private static async Task<string> VersionsAsync(LedgerDatabase ledger) =>
        string.Join(' ', await ledger.LinesAsync("select version::text from account_checkpoints c order by c.version"));

    private static async Task<string> DumpAsync(LedgerDatabase ledger) =>
        string.Join('\n', await ledger.LinesAsync("select to_jsonb(c)::text from account_checkpoints c order by c.account_id, c.version"));
}
