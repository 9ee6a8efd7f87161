using System.Globalization;
using System.Text.Json;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Faults.Load;
using Ledger.Faults.Plans;
using Ledger.Projections;
using Ledger.Projections.Rebuild;
using Npgsql;

namespace Ledger.Faults.Audit;

/// <summary>Compares what the clients were told with what stands in the log, and the log with itself and with the read models.</summary>
internal sealed class Auditor
{
    private const int Most = 25;
    private readonly Plan _plan;
    private readonly World _world;
    private readonly IReadOnlyList<Attempt> _attempts;
    private readonly List<StoredEvent> _log = [];
    private readonly Dictionary<string, History> _histories = new(StringComparer.Ordinal);
    private readonly SortedDictionary<long, RateCard> _cards = [];
    private readonly List<string> _findings = [];
    private readonly bool _clocksAgree;

    private Auditor(Plan plan, World world, IReadOnlyList<Attempt> attempts)
    {
        (_plan, _world, _attempts) = (plan, world, attempts);
        _clocksAgree = plan.Faults.All(fault => fault.Kind != FaultKind.ClockStepped);
    }

    /// <summary>Audits a run whose faults are over and whose servers have stopped.</summary>
    /// <returns>What is wrong, one sentence each; empty where all is well.</returns>
    public static async Task<IReadOnlyList<string>> RunAsync(
        Plan plan,
        World world,
        Journal journal,
        Follower follower,
        NpgsqlDataSource database,
        CancellationToken ct
    )
    {
        var auditor = new Auditor(plan, world, [.. journal.Attempts]);
        await auditor.ReadAsync(database, ct);
        auditor.Fold();
        auditor.CheckAnswers();
        auditor.CheckReferences();
        auditor.CheckMoments();
        auditor.CheckBooks();
        await auditor.CheckFollowerAsync(follower);
        await auditor.CheckStoredAsync(database, ct);
        return auditor._findings;
    }

    private void Find(string what)
    {
        if (_findings.Count < Most)
            _findings.Add(what);
    }

    private async Task ReadAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        var log = new NpgsqlEventLog(database, ReadModelMigrations.All);
        while (await log.ReadLogAsync(_log.Count == 0 ? 0 : _log[^1].Position, 5000, ct) is { Count: > 0 } page)
            _log.AddRange(page);
    }

    /// <summary>Folds every stream, looking at each state on the way.</summary>
    private void Fold()
    {
        foreach (var stored in _log.OrderBy(stored => stored.Version))
        {
            if (stored.StreamId == RateBook.StreamId)
            {
                var published = (RateCardPublished)LedgerEvents.Types.Read(stored);
                var document = JsonSerializer.Deserialize(published.Document, RateCardJson.Default.RateCardDocument)!;
                _cards.Add(stored.Version, new(stored.Version, published.EffectiveAt, document));
                continue;
            }

            if (!_histories.TryGetValue(stored.StreamId, out var history))
                _histories.Add(stored.StreamId, history = new(stored.StreamId));
            try
            {
                if (history.Add(LedgerEvents.ToFact(stored)) is { } finding)
                    Find(finding);
            }
            catch (Exception e) when (e is InvalidDataException or OverflowException or KeyNotFoundException)
            {
                Find($"{stored.StreamId} version {stored.Version} ({stored.Type}) cannot be folded: {e.Message}");
            }
        }

        foreach (var stream in _log.GroupBy(stored => stored.StreamId))
        {
            var (versions, last) = (stream.OrderBy(stored => stored.Version).ToList(), default(DateTimeOffset));
            for (var i = 0; i < versions.Count; i++)
            {
                if (versions[i].Version != i + 1)
                    Find($"{stream.Key}: version {i + 1} is missing or there twice.");
                if (versions[i].At < last)
                    Find($"{stream.Key} version {versions[i].Version} is of {versions[i].At:O}, before its predecessor's {last:O}.");
                last = versions[i].At;
            }
        }
    }

    /// <summary>Everything that was acknowledged stands in the log as it was acknowledged.</summary>
    private void CheckAnswers()
    {
        foreach (var attempt in _attempts)
        {
            if (attempt.Status is >= 500 and not 503)
                Find($"{attempt.Step} was answered {attempt.Status}: {attempt.Text}");
            if (attempt.Outcome == Told.Accepted)
                CheckAccepted(attempt);
            else if (attempt.Outcome == Told.Refused)
                CheckRefused(attempt);
        }
    }

    private void CheckAccepted(Attempt attempt)
    {
        var step = attempt.Step;
        var account = _world.Accounts[step.Account].Id;
        var history = _histories.GetValueOrDefault(account.StreamId) ?? new(account.StreamId);
        var use = EventIds.Use(account, step.Tool, step.Reference);
        switch (step.Verb)
        {
            case Verb.Spend:
                var spent = history.Find<CreditsSpent>(use);
                if (spent is null)
                    Find($"LOST: {step} was acknowledged ({attempt.Text}) and is not in the log.");
                else if (spent.Charged != Amount.Credits(attempt.Charged!.Value) || spent.Units != Quantity.Of(step.Units))
                    Find($"{step} was acknowledged as {attempt.Text}; the log says {spent.Charged} for {spent.Units}.");
                else if (!string.Equals(attempt.Id, use.ToString(), StringComparison.Ordinal))
                    Find($"{step} was acknowledged as spend {attempt.Id}; it is {use}.");
                else
                    CheckBalance(attempt, history, use);
                break;

            case Verb.Reserve:
                var placed = history.Find<HoldPlaced>(use);
                if (placed is null)
                    Find($"LOST: {step} was acknowledged ({attempt.Text}) and is not in the log.");
                else if (placed.Amount != Amount.Credits(attempt.Charged!.Value))
                    Find($"{step} was acknowledged as {attempt.Text}; the log says {placed.Amount}.");
                else
                    CheckBalance(attempt, history, use);
                break;

            case Verb.Settle:
                var end = EventIds.HoldEnd(account, new(use));
                var late = EventIds.LateSettlement(account, new(use));
                var charged = history.Find<HoldSettled>(end)?.Charged ?? history.Find<HoldSettledLate>(late)?.Charged;
                if (charged is null)
                    Find($"LOST: {step} was acknowledged ({attempt.Text}) and is not in the log.");
                else if (charged != Amount.Credits(attempt.Charged!.Value))
                    Find($"{step} was acknowledged as {attempt.Text}; the log says {charged}.");
                break;

            case Verb.Release:
                if (history.Find<HoldReleased>(EventIds.HoldEnd(account, new(use))) is null)
                    Find($"LOST: {step} was acknowledged and is not in the log.");
                break;

            case Verb.Grant:
                if (history.Find<CreditsGranted>(EventIds.Grant(account, "operator", step.Reference)) is not { } granted)
                    Find($"LOST: {step} was acknowledged ({attempt.Text}) and is not in the log.");
                else if (granted.Amount != Amount.Credits(step.Units))
                    Find($"{step} was acknowledged; the log says {granted.Amount}.");
                break;

            case Verb.Reverse:
                if (history.Find<SpendReversed>(EventIds.Reversal(account, new(use))) is null)
                    Find($"LOST: {step} was acknowledged and is not in the log.");
                break;

            case Verb.CreateKey:
                if (history.Find<KeyCreated>(EventIds.KeyCreation(account, new(attempt.Id!))) is null)
                    Find($"LOST: {step} was acknowledged and is not in the log.");
                break;

            case Verb.RevokeKey:
                if (history.Find<KeyRevoked>(RevocationOf(step)) is null)
                    Find($"LOST: {step} was acknowledged and is not in the log.");
                break;

            case Verb.PublishPrice:
                if (!_cards.TryGetValue(attempt.Balance!.Value, out var card))
                    Find($"LOST: {step} was acknowledged as version {attempt.Balance} and is not in the log.");
                else if (card.FindTool("chat")!.Credits != Quantity.Of(step.Units))
                    Find($"{step} was acknowledged as version {attempt.Balance}, which charges {card.FindTool("chat")!.Credits}.");
                break;

            case Verb.OpenAccount:
                if (!_histories.ContainsKey(new AccountId(attempt.Id!).StreamId))
                    Find($"LOST: {step} was acknowledged as {attempt.Id} and is not in the log.");
                break;
        }
    }

    private void CheckBalance(Attempt attempt, History history, Guid id)
    {
        var version = history.VersionOf(id);
        if (version >= history.States.Count)
            return;
        var available = history.States[(int)version].Available.WholeFloor();
        if (attempt.Balance != available)
            Find($"{attempt.Step} was answered a balance of {attempt.Balance}; right after version {version} it was {available}.");
    }

    private void CheckRefused(Attempt attempt)
    {
        var step = attempt.Step;
        var account = _world.Accounts[step.Account].Id;
        var history = _histories[account.StreamId];
        var use = EventIds.Use(account, step.Tool, step.Reference);
        var finding = attempt.Code switch
        {
            "insufficient_credits" or "key_limit_reached" => null,
            "auth_required" => history.Find<KeyRevoked>(RevocationOf(step)) is null ? "whose key was never revoked" : null,
            "forbidden" => history.Facts.Any(fact => fact.Event is AccountSuspended) ? null : "whose account was never suspended",
            "reference_conflict" when step.Verb is Verb.Spend => history.Find<CreditsSpent>(use) is { } first
            && first.Units == Quantity.Of(step.Units)
                ? "which stands in the log with the same contents"
            : history.VersionOf(use) == 0 ? "which does not stand in the log"
            : null,
            "reference_conflict" when step.Verb is Verb.Reserve => history.VersionOf(use) == 0 ? "which does not stand in the log" : null,
            "reference_conflict" when step.Verb is Verb.Settle => null,
            "hold_released" => history.Find<HoldReleased>(EventIds.HoldEnd(account, new(use))) is null
                ? "whose hold was never released"
                : null,
            "hold_settled" => Settled(history, account, use) ? null : "whose hold was never settled",
            "hold_expired" => null,
            "hold_not_found" or "spend_not_found" => _attempts.Any(earlier =>
                earlier.Outcome == Told.Accepted
                && earlier.Answered < attempt.Sent
                && earlier.Step.Account == step.Account
                && earlier.Step.Tool == step.Tool
                && earlier.Step.Reference == step.Reference
                && earlier.Step.Verb == (step.Verb == Verb.Reverse ? Verb.Spend : Verb.Reserve)
            )
                ? "which had been acknowledged before"
                : null,
            "email_taken" => null,
            // What was to lapse had lapsed when it came; with a stepped clock, sooner.
            "invalid_request" when step is { Verb: Verb.Grant, Seconds: > 0 } => null,
            _ => "which nothing explains",
        };
        if (finding is not null)
            Find($"{step}, {finding}, was refused with {attempt.Status} {attempt.Code}: {attempt.Text}");
    }

    private static bool Settled(History history, AccountId account, Guid hold) =>
        history.Find<HoldSettled>(EventIds.HoldEnd(account, new(hold))) is not null
        || history.Find<HoldSettledLate>(EventIds.LateSettlement(account, new(hold))) is not null;

    private Guid RevocationOf(Step step)
    {
        var account = _world.Accounts[step.Account];
        return EventIds.KeyRevocation(account.Id, new(account.Keys[step.Key].Id));
    }

    /// <summary>Nothing is in the log that nobody asked for, nothing twice, and nothing that was only ever refused.</summary>
    private void CheckReferences()
    {
        var asked = _attempts
            .Where(attempt => attempt.Step.Verb is Verb.Spend or Verb.Reserve)
            .GroupBy(attempt => (_world.Accounts[attempt.Step.Account].Id.StreamId, attempt.Step.Tool, attempt.Step.Reference))
            .ToDictionary(group => group.Key, group => group.ToList());
        var granted = _attempts
            .Where(attempt => attempt.Step.Verb == Verb.Grant)
            .GroupBy(attempt => (_world.Accounts[attempt.Step.Account].Id.StreamId, attempt.Step.Reference))
            .ToDictionary(group => group.Key, group => group.ToList());
        foreach (var history in _histories.Values)
        {
            foreach (
                var twice in history
                    .Facts.Select(fact => NameOf(fact.Event))
                    .OfType<string>()
                    .GroupBy(name => name, StringComparer.Ordinal)
                    .Where(group => group.Count() > 1)
            )
                Find($"TWICE: {history.StreamId} has {twice.Key} {twice.Count()} times.");

            foreach (var fact in history.Facts)
            {
                var (attempts, isWanted) = fact.Event switch
                {
                    CreditsSpent e => (
                        asked.GetValueOrDefault((history.StreamId, e.Tool, e.Reference)),
                        (Func<Step, bool>)(step => step.Verb == Verb.Spend && Quantity.Of(step.Units) == e.Units)
                    ),
                    HoldPlaced e => (
                        asked.GetValueOrDefault((history.StreamId, e.Tool, e.Reference)),
                        step => step.Verb == Verb.Reserve && Quantity.Of(step.Units) == e.Units
                    ),
                    CreditsGranted { Reference: not ("funds" or "lapsing") } e => (
                        granted.GetValueOrDefault((history.StreamId, e.Reference)),
                        step => Amount.Credits(step.Units) == e.Amount
                    ),
                    _ => (null, null),
                };
                if (isWanted is null)
                    continue;
                if (attempts?.Any(attempt => isWanted(attempt.Step)) != true)
                    Find($"{history.StreamId} version {fact.Version}: nobody asked for {fact.Event}.");
                else if (!attempts.Any(attempt => isWanted(attempt.Step) && attempt.Outcome != Told.Refused))
                    Find(
                        $"{history.StreamId} version {fact.Version}: everybody who asked was refused ({string.Join(", ", attempts.Select(attempt => $"{attempt.Status} {attempt.Code}"))}): {fact.Event}."
                    );
            }
        }
    }

    private static string? NameOf(AccountEvent @event) =>
        @event switch
        {
            CreditsSpent e => $"use {e.Tool} '{e.Reference}'",
            HoldPlaced e => $"use {e.Tool} '{e.Reference}'",
            CreditsGranted e => $"grant '{e.Reference}'",
            HoldSettled e => $"end of hold {e.Hold}",
            HoldReleased e => $"end of hold {e.Hold}",
            HoldExpired e => $"end of hold {e.Hold}",
            HoldSettledLate e => $"late settlement of {e.Hold}",
            SpendReversed e => $"reversal of {e.Spend}",
            KeyCreated e => $"creation of key {e.Key}",
            KeyRevoked e => $"revocation of key {e.Key}",
            AccountOpened => "opening",
            _ => null,
        };

    /// <summary>What had been acknowledged before a command was sent governs that command.</summary>
    private void CheckMoments()
    {
        foreach (var (planned, place) in _world.Accounts.Select((account, i) => (account, i)))
        {
            if (!_histories.TryGetValue(planned.Id.StreamId, out var history))
                continue;
            var mine = _attempts.Where(attempt => attempt.Step.Account == place).ToList();
            var known = mine.Where(attempt => attempt.Outcome == Told.Accepted)
                .Select(attempt => (attempt.Answered, Version: VersionOf(attempt, planned.Id, history)))
                .Where(each => each.Version > 0)
                .OrderBy(each => each.Answered)
                .ToList();
            for (var i = 1; i < known.Count; i++)
                known[i] = (known[i].Answered, Math.Max(known[i].Version, known[i - 1].Version));
            long KnownAt(long moment)
            {
                var (low, high) = (0, known.Count);
                while (low < high)
                {
                    var middle = (low + high) / 2;
                    if (known[middle].Answered < moment)
                        low = middle + 1;
                    else
                        high = middle;
                }

                return low == 0 ? 0 : known[low - 1].Version;
            }

            var revoked = mine.Where(attempt => attempt.Step.Verb == Verb.RevokeKey && attempt.Outcome == Told.Accepted)
                .GroupBy(attempt => attempt.Step.Key)
                .ToDictionary(group => group.Key, group => group.Min(attempt => attempt.Answered));
            var isSteady = _clocksAgree && !history.Facts.Any(fact => fact.Event is HoldExpired or PocketExpired) && history.NeverLapses;
            foreach (var attempt in mine.Where(attempt => attempt.Step.Verb is Verb.Spend or Verb.Reserve or Verb.Settle))
            {
                if (attempt.Outcome == Told.Accepted && revoked.TryGetValue(attempt.Step.Key, out var end) && attempt.Sent > end)
                    Find($"{attempt.Step} was accepted though its key had been revoked before it was sent.");
                if (attempt is { Outcome: Told.Accepted, Replayed: false } && attempt.Step.Verb != Verb.Settle)
                    CheckNew(attempt, planned.Id, history, KnownAt(attempt.Sent));
                if (attempt.Outcome == Told.Refused && isSteady)
                    CheckShortfall(attempt, history, KnownAt(attempt.Sent));
            }
        }
    }

    private void CheckNew(Attempt attempt, AccountId account, History history, long known)
    {
        var version = history.VersionOf(EventIds.Use(account, attempt.Step.Tool, attempt.Step.Reference));
        if (version == 0 || version >= history.States.Count)
            return;
        if (version <= known)
            Find($"{attempt.Step} became version {version}, though version {known} had been acknowledged before it was sent.");
        var before = history.States[(int)version - 1].Account;
        if (before.Status != AccountStatus.Open)
            Find($"{attempt.Step} became version {version}, when the account was {before.Status}.");

        var published = _attempts
            .Where(other => other.Step.Verb == Verb.PublishPrice && other.Outcome == Told.Accepted && other.Answered < attempt.Sent)
            .Select(other => other.Balance!.Value)
            .DefaultIfEmpty(0)
            .Max();
        var (card, charged, units, tool) = history.Facts[(int)version - 1].Event switch
        {
            CreditsSpent e => (e.Card, e.Charged, e.Units, e.Tool),
            HoldPlaced e => (e.Card, e.Amount, e.Units, e.Tool),
            _ => default,
        };
        if (_clocksAgree && card < published)
            Find($"{attempt.Step} was charged by card {card}, though card {published} had been published before it was sent.");
        if (!_cards.TryGetValue(card, out var priced) || charged != Charge.WholeCredits(units, priced.FindTool(tool)!.Credits))
            Find($"{attempt.Step} was charged {charged}, which is not the price of card {card}.");
    }

    /// <summary>A refusal for money tells what there was; at some moment between the question and the answer that must have been so.</summary>
    private void CheckShortfall(Attempt attempt, History history, long known)
    {
        var key = new KeyId(_world.Accounts[attempt.Step.Account].Keys[attempt.Step.Key].Id);
        var wasSo = attempt switch
        {
            { Code: "insufficient_credits", LimitSource: "balance" } => history
                .States.Skip((int)known)
                .Any(state => state.Available.WholeFloor() == attempt.Balance),
            { Code: "key_limit_reached" } => history
                .States.Skip((int)known)
                .Any(state =>
                    state.Account.Keys.Find(key)?.LimitRemaining(Unit.Credits, state.Account.LastAt)?.WholeFloor() == attempt.Balance
                ),
            _ => true,
        };
        if (!wasSo)
            Find($"{attempt.Step} was refused for {attempt.Balance} ({attempt.Code}), which was never so after version {known}.");
    }

    private static long VersionOf(Attempt attempt, AccountId account, History history)
    {
        var use = EventIds.Use(account, attempt.Step.Tool, attempt.Step.Reference);
        return attempt.Step.Verb switch
        {
            Verb.Spend or Verb.Reserve => history.VersionOf(use),
            Verb.Settle => Math.Max(
                history.VersionOf(EventIds.LateSettlement(account, new(use))),
                history.Find<HoldSettled>(EventIds.HoldEnd(account, new(use))) is null
                    ? 0
                    : history.VersionOf(EventIds.HoldEnd(account, new(use)))
            ),
            Verb.Release => history.VersionOf(EventIds.HoldEnd(account, new(use))),
            Verb.Grant => history.VersionOf(EventIds.Grant(account, "operator", attempt.Step.Reference)),
            Verb.Reverse => history.VersionOf(EventIds.Reversal(account, new(use))),
            _ => 0,
        };
    }

    /// <summary>The sums of each account come out, reckoned from the events' own figures.</summary>
    private void CheckBooks()
    {
        foreach (var history in _histories.Values)
        {
            long credits = 0;
            long debt = 0;
            foreach (var fact in history.Facts)
            {
                (credits, debt) = fact.Event switch
                {
                    CreditsGranted e => (credits + e.Amount.Parts, debt),
                    CreditsSpent e => (credits - e.Charged.Parts, debt),
                    HoldSettled e => (credits - e.Charged.Parts + (e.Debt?.Parts ?? 0), debt + (e.Debt?.Parts ?? 0)),
                    HoldSettledLate e => (credits - e.Charged.Parts + (e.Debt?.Parts ?? 0), debt + (e.Debt?.Parts ?? 0)),
                    SpendReversed e => (credits + e.Amount.Parts - (e.DebtCleared?.Parts ?? 0), debt - (e.DebtCleared?.Parts ?? 0)),
                    PocketExpired e => (credits - e.Amount.Parts, debt),
                    DebtRepaid e => (credits - e.Amount.Parts, debt - e.Amount.Parts),
                    _ => (credits, debt),
                };
                if (credits < 0 || debt < 0)
                    Find(
                        $"{history.StreamId} version {fact.Version}: {credits} parts and a debt of {debt} are left; neither may be below zero."
                    );
            }

            var wallet = history.States[^1].Account.Wallet;
            if (wallet.Posted(Unit.Credits).Parts != credits || wallet.Debt(Unit.Credits).Parts != debt)
                Find(
                    $"{history.StreamId}: the events add up to {credits} parts and a debt of {debt}; the wallet says {wallet.Posted(Unit.Credits).Parts} and {wallet.Debt(Unit.Credits).Parts}."
                );
        }
    }

    private async Task CheckFollowerAsync(Follower follower)
    {
        var seen = await follower.FinishAsync(_log.Count == 0 ? 0 : _log[^1].Position, TimeSpan.FromSeconds(20));
        if (!seen.Select(stored => (stored.Position, stored.Id)).SequenceEqual(_log.Select(stored => (stored.Position, stored.Id))))
        {
            var missed = _log.Select(stored => stored.Position).Except(seen.Select(stored => stored.Position)).ToList();
            Find(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The reader beside the load saw {seen.Count} events; there are {_log.Count}. Missed: {string.Join(", ", missed.Take(10))}."
                )
            );
        }
    }

    private async Task CheckStoredAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        await foreach (var (stream, verdict) in new ChainVerifier(database).VerifyAllAsync(ct))
        {
            if (verdict.Break is { } broken)
                Find($"The hash chain of {stream} breaks at version {broken.Version}: {broken.Fault}.");
        }

        foreach (var drift in await new Rebuilder(database, TimeProvider.System).CompareAsync("all", null, ct))
            Find($"DRIFT: {drift.Table} {drift.Key}: live {drift.Live ?? "nothing"}, by the log {drift.Rebuilt ?? "nothing"}.");

        await using var command = database.CreateCommand(
            "select count(*) from balances where posted < 0 or held < 0 or available < 0 or debt < 0"
        );
        if (await command.ExecuteScalarAsync(ct) is not 0L and var below)
            Find($"{below} balances are below zero.");
    }
}
