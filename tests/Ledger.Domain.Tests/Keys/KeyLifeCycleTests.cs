using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using static Ledger.Domain.Tests.Facts;

namespace Ledger.Domain.Tests.Keys;

public class KeyLifeCycleTests
{
    private static readonly KeyId Minted = new("key0000000000003");
    private static readonly Guid Ask = EventIds.Request(Alice, "ask");

    private static KeyChanged Changed(
        KeyId key,
        long? limit = null,
        LimitReset reset = LimitReset.None,
        bool disabled = false,
        KeyRateLimit? rate = null,
        string name = "ci"
    ) => new(key, name, null, limit is { } credits ? Amount.Credits(credits) : null, null, reset, [], rate, null, disabled);

    private static KeyRotated Rotated(char secret, DateTimeOffset until) => new(Other, new string(secret, 64), "lk", "7Kd0", until);

    private static Spend Spend(string reference, long units = 1, KeyId? key = null, int secret = 0) =>
        new(Alice, key ?? Other, "chat", Quantity.Of(units), reference) { By = new Credential(key ?? Other, secret) };

    private static ChangeKey Change(KeyChange change, KeyId? by = null) =>
        new(Alice, Other, Ask, change) { By = by is { } key ? new Credential(key) : null };

    private static CreateKey Mint(
        KeyId by,
        long? limit = null,
        KeyKind kind = KeyKind.Inference,
        KeyBilling billing = KeyBilling.PayPerToken,
        string[]? models = null,
        KeyRateLimit? rate = null,
        DateTimeOffset? expiresAt = null
    ) =>
        new(
            Alice,
            Minted,
            "ci",
            kind,
            billing,
            null,
            new string('a', 64),
            "lk_live_",
            "9x2Q",
            limit is { } credits ? Amount.Credits(credits) : null,
            null,
            LimitReset.None,
            [.. models ?? []],
            rate,
            expiresAt
        )
        {
            By = new Credential(by),
        };

    private static Scenario GivenKey(long? limit = null, LimitReset reset = LimitReset.None, params AccountEvent[] events) =>
        GivenAccount(Granted(1, 1000), Created(Other, limit: limit, reset: reset)).And(events);

    private static long Left(Scenario scenario, KeyId? key = null, DateTimeOffset? at = null) =>
        scenario.After.Keys.Find(key ?? Other)!.LimitRemaining(Unit.Credits, at ?? Noon)!.Value.WholeFloor();

    [Fact]
    public void Changing_a_key_records_all_of_it() =>
        GivenKey()
            .When(Change(new(Name: new("new"), Limit: new(Amount.Credits(5)), LimitReset: new(LimitReset.Daily))))
            .Then(Changed(Other, 5, LimitReset.Daily, name: "new"));

    [Fact]
    public void Changing_a_key_to_what_it_is_is_already_so() => GivenKey().When(Change(new(Name: new("ci")))).ThenNothing();

    [Fact]
    public void A_limit_can_be_taken_away() => GivenKey(10).When(Change(new(Limit: new(null)))).Then(Changed(Other));

    [Fact]
    public void A_revoked_key_cannot_be_changed_or_rotated()
    {
        GivenKey(events: new KeyRevoked(Other, null)).When(Change(new(Name: new("x")))).ThenRejected(RejectionCode.KeyNotFound);
        GivenKey(events: new KeyRevoked(Other, null))
            .When(new RotateKey(Alice, Other, Ask, new string('b', 64), "lk", "7Kd0", default))
            .ThenRejected(RejectionCode.KeyNotFound);
    }

    [Fact]
    public void Only_a_provisioning_key_changes_keys()
    {
        GivenKey().When(Change(new(Name: new("x")), Main)).ThenRejected(RejectionCode.KeyKindNotAllowed);
        var provisioning = new KeyId("key0000000000009");
        GivenKey(events: Created(provisioning, KeyKind.Provisioning))
            .When(Change(new(Name: new("x")), provisioning))
            .Then(Changed(Other, name: "x"));
    }

    [Fact]
    public void A_disabled_key_rests_until_it_is_enabled()
    {
        var given = GivenKey(events: Changed(Other, disabled: true));
        given.When(Spend("r1")).ThenRejected(RejectionCode.KeyNotUsable);
        given.And(Changed(Other)).When(Spend("r1")).Then(Spent("1", 5, key: Other, paid: [Share(1, 5)]));
    }

    [Fact]
    public void A_lowered_limit_counts_what_was_used_before()
    {
        var given = GivenKey(100, LimitReset.None, Spent("4", 20, "r0", key: Other, paid: Share(1, 20)), Changed(Other, 22));
        Left(given).ShouldBe(2);
        given.When(Spend("r1")).ThenRejected(RejectionCode.KeyLimitReached, new("key", Amount.Credits(5), Amount.Credits(2)));
    }

    [Fact]
    public void A_limit_below_what_was_used_leaves_nothing() =>
        Left(GivenKey(100, LimitReset.None, Spent("4", 20, "r0", key: Other, paid: Share(1, 20)), Changed(Other, 5))).ShouldBe(0);

    [Fact]
    public void A_new_limit_counts_from_now_on_and_what_is_held_with_it()
    {
        var placed = Held("2", 10, allocated: Share(1, 10)) with { Key = Other };
        var given = GivenKey(null, LimitReset.None, Spent("4", 20, "r0", key: Other, paid: Share(1, 20)), placed, Changed(Other, 30));
        Left(given).ShouldBe(20, "what was spent before there was a limit is not counted, what is held is");
        Left(given.And(new HoldReleased(Hold()))).ShouldBe(30, "what was counted is given back, and no more");
        Left(given.And(Spent("1", 5, "r2", key: Other, paid: Share(1, 5)), new HoldReleased(Hold()))).ShouldBe(25);
    }

    [Fact]
    public void What_was_spent_before_a_limit_gives_nothing_back_to_it()
    {
        var given = GivenKey(null, LimitReset.None, Spent("4", 20, "r0", key: Other, paid: Share(1, 20)), Changed(Other, 30))
            .Later(TimeSpan.FromMinutes(1))
            .And(Spent("1", 5, "r1", key: Other, paid: Share(1, 5)));
        var reversed = new SpendReversed(
            new(EventIds.Use(Alice, "chat", "r0")),
            Other,
            "chat",
            Amount.Credits(20),
            Noon,
            [Share(1, 20)],
            null,
            "wrong"
        );
        Left(given.And(reversed)).ShouldBe(25);
    }

    [Fact]
    public void Another_period_counts_anew()
    {
        var given = GivenKey(30, LimitReset.Daily, Spent("4", 20, "r0", key: Other, paid: Share(1, 20)));
        Left(given.And(Changed(Other, 30, LimitReset.Monthly))).ShouldBe(30);
        Left(given.And(Changed(Other, 40, LimitReset.Daily))).ShouldBe(20, "the same period counts on");
    }

    [Fact]
    public void A_hold_of_the_day_before_gives_nothing_back_to_a_new_period()
    {
        var placed = Held("2", 10, expiresAt: Noon.AddDays(9), allocated: Share(1, 10)) with { Key = Other };
        var given = GivenKey(30, LimitReset.Monthly, placed)
            .At(Noon.AddDays(1))
            .And(Changed(Other, 30, LimitReset.Daily), Spent("1", 5, "r1", key: Other, paid: Share(1, 5)), new HoldReleased(Hold()));
        Left(given, at: Noon.AddDays(1)).ShouldBe(25);
    }

    [Fact]
    public void Both_secrets_work_while_the_grace_lasts_and_then_only_the_new_one()
    {
        var given = GivenKey(events: Rotated('b', Noon.AddHours(1)));
        given.When(Spend("r1", secret: 1)).Then(Spent("1", 5, key: Other, paid: [Share(1, 5)]));
        given.When(Spend("r1", secret: 2)).Then(Spent("1", 5, key: Other, paid: [Share(1, 5)]));
        given.At(Noon.AddHours(1)).When(Spend("r1", secret: 1)).ThenRejected(RejectionCode.KeyNotUsable);
        given.At(Noon.AddHours(1)).When(Spend("r1", secret: 2)).Then(Spent("1", 5, key: Other, paid: [Share(1, 5)]));
    }

    [Fact]
    public void A_second_rotation_ends_the_first_secret_at_once()
    {
        var given = GivenKey(events: [Rotated('b', Noon.AddHours(1)), Rotated('c', Noon.AddHours(1))]);
        given.When(Spend("r1", secret: 1)).ThenRejected(RejectionCode.KeyNotUsable);
        given.When(Spend("r1", secret: 2)).Then(Spent("1", 5, key: Other, paid: [Share(1, 5)]));
    }

    [Fact]
    public void Rotating_without_grace_ends_the_secret_at_once() =>
        GivenKey()
            .When(new RotateKey(Alice, Other, Ask, new string('b', 64), "lk", "7Kd0", TimeSpan.Zero))
            .Then(Rotated('b', Noon))
            .And()
            .When(Spend("r1", secret: 1))
            .ThenRejected(RejectionCode.KeyNotUsable);

    [Fact]
    public void What_a_minted_key_spends_counts_against_its_minter_too()
    {
        var given = GivenKey(10, LimitReset.None, Created(Minted) with { Limit = Amount.Credits(10), MintedBy = Other });
        var once = given.And(Spent("1", 5, "r0", key: Minted, paid: Share(1, 5)));
        Left(once).ShouldBe(5);
        Left(once, Minted).ShouldBe(5);
        var both = once.And(Spent("1", 5, "r1", key: Other, paid: Share(1, 5)));
        both.When(Spend("r2", key: Minted))
            .ThenRejected(RejectionCode.KeyLimitReached, new("minting_key", Amount.Credits(5), Amount.Credits(0)));
    }

    [Fact]
    public void A_hold_of_a_minted_key_counts_and_is_given_back_along_the_line()
    {
        var placed = Held("2", 10, allocated: Share(1, 10)) with { Key = Minted };
        var given = GivenKey(30, LimitReset.None, Created(Minted) with { MintedBy = Other }, placed);
        Left(given).ShouldBe(20);
        Left(given.And(new HoldReleased(Hold()))).ShouldBe(30);
    }

    [Fact]
    public void A_minted_key_has_what_its_minter_has_where_nothing_else_is_said()
    {
        var minter = Created(Other, limit: 30, expiresAt: Noon.AddDays(1)) with
        {
            AllowedModels = ["sandbox/echo"],
            RateLimit = new(3, Quantity.Of(1), false),
        };
        GivenAccount(minter).When(Mint(Other)).Then(minter with { Key = Minted, MintedBy = Other });
    }

    [Fact]
    public void A_key_mints_nothing_wider_than_itself()
    {
        var given = GivenAccount(
            Created(Other, limit: 30, expiresAt: Noon.AddDays(1)) with
            {
                AllowedModels = ["sandbox/echo"],
                RateLimit = new(3, Quantity.Of(1), false),
            }
        );
        foreach (
            var wider in (CreateKey[])
                [
                    Mint(Other, limit: 31),
                    Mint(Other, kind: KeyKind.Provisioning),
                    Mint(Other, billing: KeyBilling.Subscription),
                    Mint(Other, models: ["sandbox/echo", "sandbox/slow"]),
                    Mint(Other, rate: new(4, Quantity.Of(1), false)),
                    Mint(Other, rate: new(3, Quantity.Of(2), false)),
                    Mint(Other, rate: new(0, default, true)),
                    Mint(Other, expiresAt: Noon.AddDays(2)),
                ]
        )
            given.When(wider).ThenRejected(RejectionCode.KeyTooWide);
    }

    [Fact]
    public void A_key_that_has_nothing_left_mints_nothing() =>
        GivenKey(5, LimitReset.None, Spent("1", 5, "r0", key: Other, paid: Share(1, 5)))
            .When(Mint(Other))
            .ThenRejected(RejectionCode.KeyLimitReached);

    [Fact]
    public void A_line_of_minting_has_an_end()
    {
        var given = GivenAccount();
        var last = Main;
        for (var i = 1; i < KeyRing.MaxLine; i++)
        {
            var next = new KeyId($"line{i}");
            given = given.And(Created(next) with { MintedBy = last });
            last = next;
        }

        given.When(Mint(last)).ThenRejected(RejectionCode.KeyTooWide);
    }

    [Fact]
    public void A_provisioning_key_mints_what_it_likes_but_raises_no_rate_limit()
    {
        var provisioning = new KeyId("key0000000000009");
        var given = GivenAccount(Created(provisioning, KeyKind.Provisioning));
        given.When(Mint(provisioning, kind: KeyKind.Provisioning)).Then(Created(Minted, KeyKind.Provisioning));
        given.When(Mint(provisioning, rate: new(11, Quantity.Parse("0.5"), false))).ThenRejected(RejectionCode.KeyTooWide);
        given
            .When(Mint(provisioning, billing: KeyBilling.Subscription, rate: KeyRateLimit.ToolTuned))
            .Then(Created(Minted) with { Billing = KeyBilling.Subscription, RateLimit = KeyRateLimit.ToolTuned });
    }

    [Fact]
    public void Only_the_operator_raises_a_rate_limit()
    {
        var provisioning = new KeyId("key0000000000009");
        var high = new KeyRateLimit(100, Quantity.Of(50), false);
        var given = GivenKey(events: Created(provisioning, KeyKind.Provisioning));
        given.When(Change(new(RateLimit: new(high)), provisioning)).ThenRejected(RejectionCode.KeyTooWide);
        given.When(Change(new(RateLimit: new(high)))).Then(Changed(Other, rate: high));
        given
            .And(Changed(Other, rate: high))
            .When(Change(new(RateLimit: new(new(50, Quantity.Of(50), false))), provisioning))
            .Then(Changed(Other, rate: new(50, Quantity.Of(50), false)));
    }

    [Fact]
    public void A_key_revokes_itself_and_what_it_minted_and_nothing_else()
    {
        var given = GivenKey(events: Created(Minted) with { MintedBy = Other });
        RevokeKey Revoke(KeyId key, KeyId by) => new(Alice, key, null) { By = new Credential(by) };
        given.When(Revoke(Minted, Other)).Then(new KeyRevoked(Minted, null));
        given.When(Revoke(Other, Minted)).ThenRejected(RejectionCode.KeyNotMinted);
        given.When(Revoke(Main, Other)).ThenRejected(RejectionCode.KeyNotMinted);
        given.And(new KeyRevoked(Other, null)).When(Revoke(Minted, Other)).ThenRejected(RejectionCode.KeyNotUsable);
    }

    [Fact]
    public void What_a_key_minted_rests_and_dies_with_it()
    {
        var grandchild = new KeyId("key0000000000004");
        var given = GivenKey(events: [Created(Minted) with { MintedBy = Other }, Created(grandchild) with { MintedBy = Minted }]);
        given.When(Spend("r1", key: grandchild)).Then(Spent("1", 5, key: grandchild, paid: [Share(1, 5)]));
        given.And(Changed(Other, disabled: true)).When(Spend("r1", key: grandchild)).ThenRejected(RejectionCode.KeyNotUsable);
        given.And(new KeyRevoked(Other, "leaked")).When(Spend("r1", key: grandchild)).ThenRejected(RejectionCode.KeyNotUsable);
        given.And(Rotated('b', Noon)).When(Spend("r1", key: grandchild)).Then(Spent("1", 5, key: grandchild, paid: [Share(1, 5)]));
    }

    [Fact]
    public void Whoever_signed_in_without_a_key_has_no_limit_and_spends_as_the_account()
    {
        var by = Credential.Of(new Guid(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), Noon);
        GivenKey(5)
            .When(new Spend(Alice, default, "chat", Quantity.Of(2), "r1") { By = by })
            .Then(Spent("2", 10, key: default(KeyId), paid: [Share(1, 10)]));
    }
}
