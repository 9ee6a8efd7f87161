using System.Globalization;
using Ledger.Domain.Accounts;

namespace Ledger.Domain.Wallets;

/// <summary>Lets a hold last longer, since the work that it is for still goes on; already so where it lasts as long. It comes from the server itself.</summary>
/// <param name="Account">Whose it is.</param>
/// <param name="Hold">The hold.</param>
/// <param name="Until">Until when.</param>
public sealed record ExtendHold(AccountId Account, HoldId Hold, DateTimeOffset Until)
    : AccountCommand(Account, EventIds.Request(Account, $"extend:{Hold}:{Until.UtcTicks.ToString(CultureInfo.InvariantCulture)}"))
{
    /// <inheritdoc/>
    public override bool DidRecord(AccountEvent @event) => @event is HoldExtended e && e.Hold == Hold;

    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (!account.Wallet.Holds.TryGetValue(Hold, out var open))
            return Reject(RejectionCode.HoldNotFound);
        return open.ExpiresAt >= Until ? Accept() : Accept(new HoldExtended(Hold, Until));
    }
}
