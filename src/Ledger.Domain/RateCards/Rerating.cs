using Ledger.Domain.Accounts;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.RateCards;

/// <summary>What paid a charge.</summary>
public enum ChargeSource
{
    /// <summary>Credits or dollars of the wallet.</summary>
    Balance,

    /// <summary>Packs.</summary>
    Packs,

    /// <summary>A subscription's quota: it costs nothing, whatever the card says.</summary>
    Quota,
}

/// <summary>A charge or a reversal as it was recorded, and what another rate card makes of it.</summary>
/// <param name="What">The tool; the provider/model where it was a call.</param>
/// <param name="Source">What paid it.</param>
/// <param name="IsReversal">Whether it was given back; then amounts are negative.</param>
/// <param name="Old">What was charged.</param>
/// <param name="New">What the other card charges; null where it has no price for it.</param>
/// <param name="Lacks">The entry that the other card lacks, or whose price comes to more than can be charged; null where it has one.</param>
public readonly record struct Rerated(string What, ChargeSource Source, bool IsReversal, Amount Old, Amount? New, string? Lacks);

/// <summary>
/// Prices recorded work by another rate card: the same units and tokens, the same rules of rounding, once per charge. What nobody would have asked for at another price, or
/// could not have paid, is not guessed.
/// </summary>
public static class Rerating
{
    private const string PackPrefix = "packs/";

    /// <summary>Prices a recorded event; null where it charges nothing and gives nothing back.</summary>
    /// <param name="event">The event.</param>
    /// <param name="card">The other card.</param>
    /// <param name="reversed">The charge that the event reverses; null where it is no reversal.</param>
    /// <exception cref="InvalidDataException">It reverses something, and that is no charge: the history is corrupt.</exception>
    public static Rerated? Of(AccountEvent @event, RateCard card, AccountEvent? reversed = null)
    {
        ArgumentNullException.ThrowIfNull(card);
        return @event switch
        {
            CreditsSpent e => Tool(e.Tool, e.Units, e.Charged, e.Entry, card),
            HoldSettled e => Charge(e.Tool, e.Units, e.Charged, e.Entry, e.Call, card),
            HoldSettledLate e => Charge(e.Tool, e.Units, e.Charged, e.Entry, e.Call, card),
            SpendReversed e => reversed is (CreditsSpent or HoldSettled or HoldSettledLate) && Of(reversed, card) is { } spend
                ? spend with
                {
                    IsReversal = true,
                    Old = new(-e.Amount.Parts, e.Amount.Unit),
                    New = spend.New is { } now ? new Amount(-now.Parts, now.Unit) : null,
                }
                : throw new InvalidDataException($"A reversal names {e.Spend}, which is no charge."),
            _ => null,
        };
    }

    private static Rerated Charge(string tool, Quantity units, Amount charged, string entry, CallRecord? call, RateCard card) =>
        call is null ? Tool(tool, units, charged, entry, card)
        : call.Quota is not null ? new(NameOf(call), ChargeSource.Quota, false, charged, charged, null)
        : entry.StartsWith(PackPrefix, StringComparison.Ordinal) ? Pack(call, charged, entry, card)
        : Model(call, charged, card);

    private static Rerated Tool(string tool, Quantity units, Amount charged, string entry, RateCard card) =>
        Priced(
            tool,
            ChargeSource.Balance,
            charged,
            card.FindTool(tool) is { } priced ? Money.Charge.WholeCredits(units, priced.Credits) : null,
            entry
        );

    private static Rerated Model(CallRecord call, Amount charged, RateCard card)
    {
        var name = NameOf(call);
        return Priced(
            name,
            ChargeSource.Balance,
            charged,
            card.Models.Find(name) is { } model ? TokenCharge.Usd(call.Tokens, model.UsdPer1m) : null,
            "models/" + name
        );
    }

    /// <summary>At the rates of the same pack, else of any pack for the same model, as a pack is drawn on that was bought by another card.</summary>
    private static Rerated Pack(CallRecord call, Amount charged, string entry, RateCard card)
    {
        var name = NameOf(call);
        var pack = card.FindPack(entry[PackPrefix.Length..]) is { } same && IsFor(same) ? same : card.Document.Packs.FirstOrDefault(IsFor);
        return Priced(name, ChargeSource.Packs, charged, pack is null ? null : TokenCharge.Credits(call.Tokens, pack.CreditsPer1m), entry);

        bool IsFor(PricedPack pack) => string.Equals(pack.Provider + "/" + pack.Model, name, StringComparison.Ordinal);
    }

    private static Rerated Priced(string what, ChargeSource source, Amount charged, Amount? anew, string entry) =>
        new(what, source, false, charged, anew, anew is null ? entry : null);

    private static string NameOf(CallRecord call) => call.Provider + "/" + call.Model;
}
