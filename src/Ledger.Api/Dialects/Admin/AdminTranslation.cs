using System.Net.Mail;
using System.Text.Json;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Projections.Keys;

namespace Ledger.Api.Dialects.Admin;

/// <summary>Between the operator's JSON and the ledger's words. Pure: what is wrong with a request is noted, nothing is looked up.</summary>
internal static class AdminTranslation
{
    private const long PartsPerMicro = 1000;
    private const int MaxReason = 500;
    private const int MaxReference = 200;

    /// <summary>Who wants an account; without meaning where faults were noted.</summary>
    public static CreateAccountRequest ToCreateAccount(JsonMembers body, JsonFaults faults)
    {
        var email = body.Text("email", 254, required: true);
        var password = body.Text("password", 200);
        var country = body.Text("country", 2);
        body.End();
        if (
            email is not null
            && !(
                MailAddress.TryCreate(email, out var address) && address.Address == email && !email.Contains('"', StringComparison.Ordinal)
            )
        )
            faults.Add("email", "must be an e-mail address");
        if (password?.Length < 8)
            faults.Add("password", "must be a text of 8 to 200 characters, without NUL");
        if (country is not null && !(country.Length == 2 && country.All(char.IsAsciiLetter)))
            faults.Add("country", "must be two letters of ISO 3166-1, such as DE");
        return new(email ?? "", password, country?.ToUpperInvariant());
    }

    /// <summary>Why; empty where faults were noted.</summary>
    public static string ToReason(JsonMembers body)
    {
        var reason = body.Text("reason", MaxReason, required: true);
        body.End();
        return reason ?? "";
    }

    /// <summary>A grant; without meaning where faults were noted.</summary>
    public static GrantCredits ToGrant(AccountId account, JsonMembers body, JsonFaults faults)
    {
        var number = body.Number("amount", required: true);
        var unit = body.Choice("unit", true, ("credits", Unit.Credits), ("usd_micros", Unit.Usd));
        var source = body.Choice(
            "source",
            true,
            ("subscription", PocketSource.Subscription),
            ("payg", PocketSource.Payg),
            ("bonus", PocketSource.Bonus),
            ("prepaid", PocketSource.Prepaid)
        );
        var expiresAt = body.Time("expires_at");
        var reason = body.Text("reason", MaxReason, required: true);
        var reference = body.Text("reference", MaxReference, required: true);
        body.End();

        var amount = default(Amount);
        if (number is not null && unit is { } counted && !(TryReadAmount(number, counted, out amount) && amount.IsPositive))
        {
            faults.Add(
                "amount",
                counted == Unit.Credits
                    ? "must be a number above 0 and up to 1000000000000, with at most six decimal places"
                    : "must be a whole number above 0 and up to 1000000000000000"
            );
        }

        if (unit is not null && source is not null && (unit == Unit.Usd) != (source == PocketSource.Prepaid))
            faults.Add(
                "unit",
                source == PocketSource.Prepaid
                    ? "must be usd_micros where the source is prepaid"
                    : "must be credits unless the source is prepaid"
            );
        return new(account, amount, source ?? default, null, expiresAt, "operator", reference ?? "", reason);
    }

    /// <summary>A key; without meaning where faults were noted.</summary>
    public static CreateKey ToCreateKey(AccountId account, KeyId id, KeySecret secret, JsonMembers body, JsonFaults faults)
    {
        var name = body.Text("name", 100, required: true);
        var environment = body.Text("environment", 50);
        var kind = body.Choice("kind", false, ("inference", KeyKind.Inference), ("provisioning", KeyKind.Provisioning));
        var billing = body.Choice("billing", false, ("pay_per_token", KeyBilling.PayPerToken), ("subscription", KeyBilling.Subscription));
        var limit = Limit(
            "limit",
            Unit.Credits,
            "must be a number of credits above 0 and up to 1000000000000, with at most six decimal places"
        );
        var limitUsd = Limit(
            "limit_usd",
            Unit.Usd,
            "must be a number of dollars above 0 and up to 1000000000, with at most nine decimal places"
        );
        var reset = body.Choice(
            "limit_reset",
            false,
            ("none", LimitReset.None),
            ("daily", LimitReset.Daily),
            ("weekly", LimitReset.Weekly),
            ("monthly", LimitReset.Monthly)
        );
        var models = body.Texts("allowed_models", 100, 260, required: false);
        if (models.Where(model => model.Length > 0).CountBy(model => model, StringComparer.Ordinal).Any(count => count.Value > 1))
            faults.Add("allowed_models", "must name each model only once");
        var rate = ToRateLimit(body, faults);
        var expiresAt = body.Time("expires_at");
        body.End();
        return new(
            account,
            id,
            name ?? "",
            kind ?? KeyKind.Inference,
            billing ?? KeyBilling.PayPerToken,
            environment,
            secret.Hash.ToString(),
            secret.Prefix,
            secret.LastFour,
            limit,
            limitUsd,
            reset ?? LimitReset.None,
            [.. models],
            rate,
            expiresAt
        );

        Amount? Limit(string member, Unit unit, string message)
        {
            if (body.Number(member) is not { } text)
                return null;
            if (Amount.TryParse(text, unit, out var amount) && amount.IsPositive)
                return amount;
            faults.Add(member, message);
            return null;
        }
    }

    /// <summary>A reversal; without meaning where faults were noted.</summary>
    public static ReverseSpend ToReversal(AccountId account, JsonMembers body, JsonFaults faults)
    {
        var spend = default(Guid);
        if (body.Text("spend_id", 100, required: true) is { } text && !Guid.TryParseExact(text, "D", out spend))
            faults.Add("spend_id", "must be the id of a spend, as x-ledger-spend-id names it");
        return new(account, new(spend), ToReason(body));
    }

    /// <summary>What an account has in a unit, packs apart.</summary>
    public static Balance ToBalance(Account account, Unit unit, DateTimeOffset now)
    {
        var wallet = account.Wallet;
        var open = wallet.Open.Where(pocket => pocket.Unit == unit && pocket.Scope is null).ToList();
        return new(
            ToNumber(open.Sum(pocket => pocket.Remaining), unit),
            ToNumber(open.Sum(pocket => pocket.Held), unit),
            ToNumber(wallet.Available(unit, now)),
            ToNumber(wallet.Debt(unit))
        );
    }

    /// <summary>One pocket.</summary>
    public static PocketView ToView(Pocket pocket) =>
        new(
            pocket.Id.Number,
            UnitName(pocket.Unit),
            SourceName(pocket.Source),
            pocket.Scope,
            ToNumber(pocket.Granted, pocket.Unit),
            ToNumber(pocket.Remaining, pocket.Unit),
            ToNumber(pocket.Held, pocket.Unit),
            pocket.ExpiresAt,
            pocket.OpenedAt
        );

    /// <summary>One key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="usage">What it was charged.</param>
    /// <param name="now">The time of the answer.</param>
    /// <param name="secret">The secret, in the answer to its creation only.</param>
    public static KeyView ToView(Key key, KeyUsagePeriods usage, DateTimeOffset now, string? secret = null) =>
        new(
            secret,
            key.Id.Value,
            key.Name,
            key.Environment,
            key.Kind switch
            {
                KeyKind.Inference => "inference",
                KeyKind.Provisioning => "provisioning",
            },
            key.Billing switch
            {
                KeyBilling.PayPerToken => "pay_per_token",
                KeyBilling.Subscription => "subscription",
            },
            ToWhole(key.Limit),
            ToWhole(key.LimitUsd),
            key.LimitReset switch
            {
                LimitReset.None => "none",
                LimitReset.Daily => "daily",
                LimitReset.Weekly => "weekly",
                LimitReset.Monthly => "monthly",
            },
            ToWhole(key.LimitRemaining(Unit.Credits, now) ?? key.LimitRemaining(Unit.Usd, now)),
            key.AllowedModels,
            key.RateLimit switch
            {
                null => null,
                { Unlimited: true } => JsonDocument.Parse("\"unlimited\"").RootElement,
                var limit => JsonSerializer.SerializeToElement(
                    new(limit.Burst, Exact(limit.RefillPerSecond.Nanos, 1_000_000_000)),
                    AdminJson.Default.RateLimitView
                ),
            },
            key.ExpiresAt,
            key.RevokedAt is not null,
            key.CreatedAt,
            LastUsed(key, usage),
            key.LastFour,
            new(
                ToNumber(usage.Total, Unit.Credits),
                ToNumber(usage.Day, Unit.Credits),
                ToNumber(usage.Week, Unit.Credits),
                ToNumber(usage.Month, Unit.Credits)
            )
        );

    /// <summary>A grant that was made.</summary>
    public static GrantView ToView(CreditsGranted granted, Balance balance) =>
        new(
            granted.Pocket.Number,
            ToNumber(granted.Amount),
            UnitName(granted.Amount.Unit),
            SourceName(granted.Source),
            granted.ExpiresAt,
            balance
        );

    /// <summary>A reversal that was made.</summary>
    public static ReversalView ToView(SpendReversed reversed, Balance balance) =>
        new(
            reversed.Spend.Value,
            ToNumber(reversed.Amount),
            UnitName(reversed.Amount.Unit),
            reversed.Tool,
            reversed.Key.Value,
            [.. reversed.Returned.Select(share => new ReturnedView(share.Pocket.Number, ToNumber(share.Parts, reversed.Amount.Unit)))],
            reversed.DebtCleared is { } cleared ? ToNumber(cleared) : 0,
            balance
        );

    /// <summary>The status of an account that exists.</summary>
    public static string StatusName(AccountStatus status) =>
        status switch
        {
            AccountStatus.Open => "open",
            AccountStatus.Suspended => "suspended",
            AccountStatus.Missing => throw new ArgumentOutOfRangeException(nameof(status)),
        };

    /// <summary>A page of a list that is at hand: the items after the one that the cursor names; null where it names none.</summary>
    public static (IReadOnlyList<T> Page, string? Next)? Page<T>(IReadOnlyList<T> all, Func<T, string> idOf, string? cursor, int limit)
    {
        var start = 0;
        if (cursor is not null)
        {
            while (start < all.Count && idOf(all[start]) != cursor)
                start++;
            if (start++ == all.Count)
                return null;
        }

        var page = all.Skip(start).Take(limit).ToList();
        return (page, start + page.Count < all.Count ? idOf(page[^1]) : null);
    }

    private static KeyRateLimit? ToRateLimit(JsonMembers body, JsonFaults faults)
    {
        if (body.Take("rate_limit") is not { } value)
            return null;
        if (JsonMembers.TextOf(value) == "unlimited")
            return new(0, default, true);
        if (value.ValueKind != JsonValueKind.Object)
        {
            faults.Add("rate_limit", "must be an object of burst and refill_per_second, or \"unlimited\"");
            return null;
        }

        var members = new JsonMembers(value, "rate_limit", faults);
        var burst = members.Whole("burst", 1, 1_000_000, required: true);
        var refill = default(Quantity);
        if (
            members.Number("refill_per_second", required: true) is { } text
            && !(Quantity.TryParse(text, out refill) && refill.IsPositive && refill.Nanos <= Quantity.Of(1_000_000).Nanos)
        )
            faults.Add(members.At("refill_per_second"), "must be a number above 0 and up to 1000000, with at most nine decimal places");
        members.End();
        return new((int)(burst ?? 1), refill, false);
    }

    /// <summary>Usage knows days, not moments; a key cannot have been used before it was there.</summary>
    private static DateTimeOffset? LastUsed(Key key, KeyUsagePeriods usage)
    {
        if (usage.LastDay is not { } day)
            return null;
        var start = new DateTimeOffset(day, TimeOnly.MinValue, TimeSpan.Zero);
        return start > key.CreatedAt ? start : key.CreatedAt;
    }

    private static bool TryReadAmount(string text, Unit unit, out Amount amount)
    {
        if (unit == Unit.Credits)
            return Amount.TryParse(text, unit, out amount);

        // Millionths of a dollar in whole numbers: the same digits as dollars with the point six places to the right.
        amount = Amount.Zero(unit);
        if (!text.All(char.IsAsciiDigit) || text.Length is 0 or > 18 || (text.Length > 1 && text[0] == '0'))
            return false;
        var micros = long.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
        if (micros > Limits.MaxAmount(unit).Parts / PartsPerMicro)
            return false;
        amount = new(micros * PartsPerMicro, unit);
        return true;
    }

    private static string UnitName(Unit unit) =>
        unit switch
        {
            Unit.Credits => "credits",
            Unit.Usd => "usd_micros",
        };

    private static string SourceName(PocketSource source) =>
        source switch
        {
            PocketSource.Subscription => "subscription",
            PocketSource.Bonus => "bonus",
            PocketSource.Payg => "payg",
            PocketSource.Prepaid => "prepaid",
            PocketSource.Pack => "pack",
        };

    private static decimal ToNumber(Amount amount) => ToNumber(amount.Parts, amount.Unit);

    private static decimal ToNumber(long parts, Unit unit) =>
        Exact(
            parts,
            unit switch
            {
                Unit.Credits => Unit.Credits.PartsPerWhole(),
                Unit.Usd => PartsPerMicro,
            }
        );

    /// <summary>Credits or dollars, as limits count them.</summary>
    private static decimal? ToWhole(Amount? amount) => amount is { } some ? Exact(some.Parts, some.Unit.PartsPerWhole()) : null;

    /// <summary>Only the wire's spelling: 64 bits over a power of ten are exact in a decimal, and written without trailing zeros.</summary>
    private static decimal Exact(long parts, long perWhole) => (decimal)parts / perWhole;
}
