using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Faults.Audit;

/// <summary>One stream, and the account's state after each of its events.</summary>
internal sealed class History
{
    private readonly Dictionary<Guid, Fact> _byId = [];

    public History(string streamId)
    {
        StreamId = streamId;
        States.Add((Account.Empty(new(streamId["account-".Length..])), Amount.Zero(Unit.Credits)));
    }

    public string StreamId { get; }

    public List<Fact> Facts { get; } = [];

    /// <summary>The state at each version, from 0, and what was available then.</summary>
    public List<(Account Account, Amount Available)> States { get; } = [];

    /// <summary>Whether nothing in it can lapse, so that what is available depends on the version alone.</summary>
    public bool NeverLapses =>
        Facts.All(fact =>
            fact.Event is not CreditsGranted { ExpiresAt: not null }
            && !(fact.Event is HoldPlaced hold && hold.ExpiresAt - fact.At < TimeSpan.FromMinutes(5))
        );

    /// <summary>The version that an event stands at; 0 where it does not.</summary>
    public long VersionOf(Guid id) => _byId.TryGetValue(id, out var fact) ? fact.Version : 0;

    /// <summary>An event of a type by its id; null where there is none.</summary>
    public T? Find<T>(Guid id)
        where T : AccountEvent => _byId.TryGetValue(id, out var fact) ? fact.Event as T : null;

    /// <summary>Folds the next event.</summary>
    /// <returns>What is wrong with the state that it makes; null where nothing is.</returns>
    public string? Add(in Fact fact)
    {
        var before = States[^1].Account;
        var after = Account.Evolve(before, fact);
        Facts.Add(fact);
        var isNew = _byId.TryAdd(fact.Id, fact);
        States.Add((after, after.Wallet.Available(Unit.Credits, fact.At)));
        if (!isNew)
            return $"TWICE: {StreamId} has the id {fact.Id} at version {fact.Version} too.";
        if (fact.Event is not (CreditsSpent or HoldPlaced))
            return null;
        var key = after.Keys.Find(fact.Event is CreditsSpent spent ? spent.Key : ((HoldPlaced)fact.Event).Key)!;
        if (key.Limit is { } limit && key.Used > limit.Parts)
            return $"{StreamId} version {fact.Version} takes key {key.Id} to {key.Used} of {limit}.";
        if (!before.Keys.Find(key.Id)!.UsableAt(fact.At))
            return $"{StreamId} version {fact.Version} was done by key {key.Id}, which could not be used.";
        if (before.Status != AccountStatus.Open)
            return $"{StreamId} version {fact.Version} was done when the account was {before.Status}.";
        return null;
    }
}
