using System.Net.Mail;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

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

    /// <summary>Only the wire's spelling: 64 bits over a power of ten are exact in a decimal, and written without trailing zeros.</summary>
    private static decimal Exact(long parts, long perWhole) => (decimal)parts / perWhole;
}
