using System.Diagnostics;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Domain.Alerts;

/// <summary>How much is left, as its owner judges it.</summary>
public enum BalanceLevel
{
    /// <summary>Enough.</summary>
    Ok,

    /// <summary>At the first threshold, or below.</summary>
    Warning,

    /// <summary>At the second threshold, or below.</summary>
    Critical,
}

/// <summary>What has happened to the watch over a balance. The names and members of its subtypes are the stored format: add, never change.</summary>
public abstract record AlertEvent : AccountEvent
{
    private protected AlertEvent() { }
}

/// <summary>It was said from when on too little is left.</summary>
/// <param name="Warning">At how many available credits or fewer it is time to look; null for never.</param>
/// <param name="Critical">At how many it is urgent; null for never.</param>
public sealed record AlertsSet(Amount? Warning, Amount? Critical) : AlertEvent;

/// <summary>What is available has crossed a threshold, in the append that made it so.</summary>
/// <param name="From">What was left before.</param>
/// <param name="To">What is left now.</param>
/// <param name="Available">How much that is: credits that no pack binds.</param>
public sealed record BalanceLevelChanged(BalanceLevel From, BalanceLevel To, Amount Available) : AlertEvent;

/// <summary>The watch over a balance.</summary>
/// <param name="Warning">At how many available credits or fewer it is time to look; null for never.</param>
/// <param name="Critical">At how many it is urgent; null for never.</param>
/// <param name="Level">What was left when it was last told.</param>
public sealed record Alerts(Amount? Warning, Amount? Critical, BalanceLevel Level)
{
    /// <summary>Nobody watches.</summary>
    public static Alerts None { get; } = new(null, null, BalanceLevel.Ok);

    /// <summary>Whether anybody watches.</summary>
    public bool IsOn => Warning is not null || Critical is not null;

    /// <summary>What so much is.</summary>
    public BalanceLevel LevelOf(Amount available) =>
        available.Parts <= Critical?.Parts ? BalanceLevel.Critical
        : available.Parts <= Warning?.Parts ? BalanceLevel.Warning
        : BalanceLevel.Ok;

    /// <summary>The crossing that what has just happened made, if it made one.</summary>
    internal AccountEvent? After(Wallet wallet, DateTimeOffset now)
    {
        var available = wallet.Available(Unit.Credits, now);
        var level = LevelOf(available);
        return level == Level ? null : new BalanceLevelChanged(Level, level, available);
    }

    /// <summary>The state after one more event. Never refuses.</summary>
    public static Alerts Evolve(Alerts alerts, AlertEvent @event)
    {
        ArgumentNullException.ThrowIfNull(alerts);
        return @event switch
        {
            AlertsSet { Warning: null, Critical: null } => None,
            AlertsSet e => alerts with { Warning = e.Warning, Critical = e.Critical },
            BalanceLevelChanged e => alerts with { Level = e.To },
            _ => throw new UnreachableException($"No fold for {@event?.GetType().Name}."),
        };
    }
}

/// <summary>Says from when on too little is left; nothing where it is so already. The command's own append tells at once where it is too little now.</summary>
/// <param name="Account">The account.</param>
/// <param name="Id">The command's id.</param>
/// <param name="Warning">At how many available credits or fewer it is time to look; null for never.</param>
/// <param name="Critical">At how many it is urgent; null for never. Not more than <paramref name="Warning"/>.</param>
public sealed record SetAlerts(AccountId Account, Guid Id, Amount? Warning, Amount? Critical) : AccountCommand(Account, Id)
{
    /// <inheritdoc/>
    public override Decision<AccountEvent> Decide(Account account, in DecisionContext context)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return Reject(RejectionCode.AccountNotFound);
        if (context.Past.Find(Id) is { } first)
            return Repeat(first);
        return account.Alerts.Warning == Warning && account.Alerts.Critical == Critical
            ? Accept()
            : Accept(new AlertsSet(Warning, Critical));
    }
}
