using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.CompilerServices;
using Ledger.Api.Application;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Accounts;
using Ledger.Projections.Keys;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Ledger.Api.Tests.Application;

/// <summary>Whatever anybody sends, and for however long: what is kept in memory stays within its bounds.</summary>
public sealed class BoundedMemoryTests
{
    [Fact]
    public void Accounts_beyond_the_capacity_push_others_out_and_the_latest_stay()
    {
        var cache = new AccountCache(100);
        for (var n = 0; n < 10_000; n++)
        {
            cache.Keep(Snapshot(n, version: 1));
            cache.Count.ShouldBeLessThanOrEqualTo(100);
            cache.Find(Id(n)).ShouldNotBeNull();
        }

        cache.Count.ShouldBe(100);
        Enumerable.Range(0, 10_000).Count(n => cache.Find(Id(n)) is not null).ShouldBe(100);
    }

    [Fact]
    public void Who_is_used_stays_while_strangers_pass_by()
    {
        var cache = new AccountCache(100);
        cache.Keep(Snapshot(0, version: 1));
        for (var n = 1; n < 10_000; n++)
        {
            cache.Find(Id(0)).ShouldNotBeNull($"after {n} others");
            cache.Keep(Snapshot(n, version: 1));
        }
    }

    [Fact]
    public void An_account_that_comes_and_goes_leaves_nothing_behind()
    {
        var cache = new AccountCache(1_000);
        var ids = new List<WeakReference>();
        for (var time = 0; time < 100; time++)
        {
            ids.AddRange(Cycle(cache, time));
            if (time % 10 == 0)
                cache.Clear();
        }

        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        cache.Count.ShouldBe(0);
        ids.Count(id => id.IsAlive).ShouldBe(0, $"of {ids.Count} ids");
        GC.KeepAlive(cache);

        // Not inlined: a local of the caller's would keep the last ones alive.
        [MethodImpl(MethodImplOptions.NoInlining)]
        static IEnumerable<WeakReference> Cycle(AccountCache cache, int time)
        {
            var snapshots = Enumerable.Range(0, 10).Select(n => Snapshot(n, version: time)).ToList();
            foreach (var snapshot in snapshots)
                cache.Keep(snapshot);
            foreach (var snapshot in snapshots)
                cache.Drop(snapshot.Account.Id);
            return [.. snapshots.Select(snapshot => new WeakReference(snapshot.Account.Id.Value))];
        }
    }

    [Fact]
    public void Accounts_with_very_many_keys_pockets_and_holds_count_for_several()
    {
        var cache = new AccountCache(1_000);
        var keys = Enumerable.Range(0, 8_000).ToImmutableDictionary(n => new KeyId($"key{n}"), n => Key($"key{n}"));
        for (var n = 0; n < 50; n++)
        {
            var snapshot = Snapshot(n, version: 1);
            cache.Keep(snapshot with { Account = snapshot.Account with { Keys = new(keys) } });
            cache.Find(Id(n)).ShouldNotBeNull("whoever has just come stays, however big");
        }

        cache.Count.ShouldBe(1);

        // It grows while it is kept, too, and shrinks again.
        cache.Clear();
        for (var n = 0; n < 1_000; n++)
            cache.Keep(Snapshot(n, version: 1));
        cache.Count.ShouldBe(1_000);
        var grown = Snapshot(7, version: 2);
        cache.Keep(grown with { Account = grown.Account with { Keys = new(keys.RemoveRange(keys.Keys.Take(4_000))) } });
        cache.Count.ShouldBeInRange(495, 505);
        cache.Keep(Snapshot(7, version: 3));
        for (var n = 0; n < 1_000; n++)
            cache.Keep(Snapshot(n, version: 1));
        cache.Count.ShouldBe(1_000);
    }

    [Fact]
    public async Task Many_at_once_keep_the_bound_and_never_see_an_older_state_after_a_later_one()
    {
        var cache = new AccountCache(50);
        await Task.WhenAll(
            Enumerable
                .Range(0, 4)
                .Select(worker =>
                    Task.Run(() =>
                    {
                        var random = new Random(worker);
                        for (var step = 1; step <= 50_000; step++)
                        {
                            var n = random.Next(80);
                            switch (random.Next(20))
                            {
                                case 0:
                                    cache.Drop(Id(n));
                                    break;
                                case 1 when random.Next(100) == 0:
                                    cache.Clear();
                                    break;
                                default:
                                    cache.Keep(Snapshot(n, step));
                                    if (cache.Find(Id(n)) is { } found)
                                        found.Account.Id.ShouldBe(Id(n));
                                    break;
                            }
                        }
                    })
                )
        );
        cache.Count.ShouldBeLessThanOrEqualTo(50);
        cache.Count.ShouldBe(Enumerable.Range(0, 80).Count(n => cache.Find(Id(n)) is not null));
        for (var n = 0; n < 80; n++)
            cache.Drop(Id(n));
        cache.Count.ShouldBe(0);
    }

    [Fact]
    public void Recent_answers_are_bounded_in_number_and_keep_no_metadata()
    {
        var recent = new RecentAnswers(1_000);
        var metadata = Fill(recent);
        GC.Collect();
        recent.Count.ShouldBe(1_000);
        metadata.Count(text => text.IsAlive).ShouldBe(0, $"of {metadata.Count} texts");

        recent.Find(Spent(18_999, "{}").Id).ShouldBeNull();
        var (fact, available) = recent.Find(Spent(19_999, "{}").Id).ShouldNotBeNull();
        available.ShouldBe(Amount.Credits(19_999));
        fact.ShouldBe(Spent(19_999, null));
        recent.Clear();
        recent.Count.ShouldBe(0);

        var none = new RecentAnswers(0);
        none.Keep(fact, available);
        none.Count.ShouldBe(0);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static List<WeakReference> Fill(RecentAnswers recent)
        {
            var texts = new List<WeakReference>();
            for (var n = 0; n < 20_000; n++)
            {
                var text = new string('y', 100);
                texts.Add(new(text));
                recent.Keep(Spent(n, text), Amount.Credits(n));
            }

            return texts;
        }
    }

    [Fact]
    public async Task Keys_are_bounded_in_number_and_made_up_ones_are_not_kept_at_all()
    {
        await using var app = await LedgerApp.StartAsync();
        var account = await app.OpenAccountAsync();
        var secrets = new List<string> { account.Key };
        for (var n = 0; n < 99; n++)
            secrets.Add((await app.CreateKeyAsync(account.Id)).Secret);
        var directory = new KeyDirectory(
            app.Services.GetRequiredService<KeyQueries>(),
            Options.Create(new LedgerOptions { CachedKeys = 20 }),
            TimeProvider.System
        );
        for (var n = 0; n < 200; n++)
        {
            (await directory.FindAsync(KeySecret.Create("lk").Text, default)).ShouldBeNull();
            directory.Count.ShouldBe(0);
        }

        for (var round = 0; round < 3; round++)
        {
            foreach (var secret in secrets)
            {
                (await directory.FindAsync(secret, default)).ShouldNotBeNull().Account.ShouldBe(account.Id);
                (await directory.FindAsync(account.Key, default)).ShouldNotBeNull().Key.ShouldBe(account.KeyId);
                directory.Count.ShouldBeLessThanOrEqualTo(20);
            }
        }

        // Whoever is asked for all the time is never looked up again: nothing but memory can answer now.
        await app.QueryAsync("alter table keys rename to keys_gone");
        (await directory.FindAsync(account.Key, default)).ShouldNotBeNull();
        directory.Clear();
        directory.Count.ShouldBe(0);
        await Should.ThrowAsync<Npgsql.PostgresException>(async () => await directory.FindAsync(account.Key, default));
    }

    private static AccountId Id(int n) => new(string.Create(CultureInfo.InvariantCulture, $"a{n:0000}"));

    private static AccountSnapshot Snapshot(int n, long version) => new(Account.Empty(Id(n)) with { Version = version }, HashChain.Start);

    private static Fact Spent(int n, string? metadata) =>
        new(
            new Guid(n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
            n,
            FixedClock.Start,
            new CreditsSpent(
                new("key"),
                "chat",
                Quantity.Of(1),
                Amount.Credits(5),
                1,
                "tools/chat",
                $"reference {n} of a length that is usual",
                ImmutableArray<PocketShare>.Empty,
                metadata,
                "digest"
            )
        );

    private static Key Key(string id) =>
        new(
            new(id),
            "Name",
            KeyKind.Inference,
            KeyBilling.PayPerToken,
            null,
            "hash",
            "lk",
            "abcd",
            null,
            null,
            LimitReset.None,
            [],
            null,
            null,
            FixedClock.Start,
            null,
            0,
            0,
            0
        );
}
