using System.Globalization;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Metering;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Gateway.Calls;

/// <summary>What asking for a call's funds came to.</summary>
/// <param name="Call">The call, where it may go on.</param>
/// <param name="Refusal">Why it may not, where the ledger refuses.</param>
/// <param name="Shortfall">Which limit refused, where one did.</param>
/// <param name="Charged">The hold of the first call of the same name, where that was charged.</param>
/// <param name="Charge">The fact that charged it.</param>
/// <param name="IsRunning">Whether the first call of the same name still runs.</param>
/// <param name="Commit">Where the call's hold is on its way to the log: what comes of that. Until then nobody may be told anything of the call.</param>
internal readonly record struct Placement(
    LiveCall? Call,
    RejectionCode? Refusal = null,
    Shortfall? Shortfall = null,
    HoldId? Charged = null,
    Fact? Charge = null,
    bool IsRunning = false,
    Task<Placement>? Commit = null
);

/// <summary>The money of calls: a hold before, one end after.</summary>
internal sealed partial class CallDesk(
    LedgerService ledger,
    LiveCalls live,
    GatewayOptions options,
    TimeProvider time,
    ILogger<CallDesk> logger
)
{
    // A caller that repeats a failing call that often under one name has lost its mind; each look costs a trip.
    private const int MaxAttempts = 100;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    /// <summary>Sets funds aside. Of calls of one name, one at a time runs and one is ever charged.</summary>
    /// <param name="identity">Who calls.</param>
    /// <param name="route">On which route.</param>
    /// <param name="ask">For what.</param>
    /// <param name="name">The caller's own name for the request; null for none.</param>
    /// <param name="requestId">Ours.</param>
    /// <param name="ct">Gives up waiting for a call of the same name.</param>
    /// <exception cref="LedgerUnavailableException">The ledger is busy or its database is away.</exception>
    public async Task<Placement> PlaceAsync(
        Identity identity,
        CallRoute route,
        CallAsk ask,
        string? name,
        string requestId,
        CancellationToken ct
    )
    {
        if (name is null)
            return await PlaceEarlyAsync(identity, route, ask, requestId);
        var account = identity.Account;
        var since = time.GetTimestamp();
        HoldId? before = null;
        for (var (attempt, looks) = (1, 0); looks < MaxAttempts; looks++)
        {
            var reference = $"{name}#{attempt}";
            var command = new PlaceCallHold(account, identity.By.Key, route.Name, reference, ask, options.HoldLifetime, before)
            {
                By = identity.By,
            };
            var verdict = await ledger.ExecuteAsync(command, new(identity.Actor, requestId));
            HoldId hold;
            if (verdict.Refusal is { Code: RejectionCode.HoldAlreadySettled })
            {
                // The attempt before was charged after all, a moment ago.
                hold = before!.Value;
            }
            else if (verdict.Refusal is { } refusal)
            {
                return new(null, refusal.Code, refusal.Shortfall);
            }
            else if (!verdict.IsRepeat)
            {
                var successor = EventIds.Call(account, route.Name, $"{name}#{attempt + 1}");
                var call = CallOf(identity, ask, verdict.Answer!.Value, await AfterAsync(verdict, account), requestId, successor);
                live.Add(call);
                return new(call);
            }
            else
            {
                hold = new(verdict.Answer!.Value.Id);
                (attempt, before) = (attempt + 1, hold);
            }

            switch (await FateAsync(account, hold, since, requestId, ct))
            {
                case (true, { } charge):
                    return new(null, Charged: hold, Charge: charge);
                case (false, _):
                    return new(null, IsRunning: true);
            }
        }

        return new(null, RejectionCode.ReferenceConflict);
    }

    /// <summary>What became of the earlier calls of a name; null where none of them was charged or still runs, so that a new one is decided anew.</summary>
    /// <param name="account">Whose they are.</param>
    /// <param name="route">On which route.</param>
    /// <param name="name">The caller's own name for the request.</param>
    /// <param name="digest">What is asked this time.</param>
    /// <param name="requestId">The request that asks.</param>
    /// <param name="ct">Gives up waiting for a call that runs.</param>
    public async Task<Placement?> FindAsync(
        AccountId account,
        CallRoute route,
        string name,
        string digest,
        string requestId,
        CancellationToken ct
    )
    {
        var since = time.GetTimestamp();
        for (var attempt = 1; attempt <= MaxAttempts; attempt++)
        {
            var id = EventIds.Call(account, route.Name, string.Create(CultureInfo.InvariantCulture, $"{name}#{attempt}"));
            if (await ledger.FindAsync(account, id, ct) is not { Event: HoldPlaced placed })
                return null;
            if (placed.Call?.Digest != digest)
                return new(null, RejectionCode.ReferenceConflict);
            switch (await FateAsync(account, new(id), since, requestId, ct))
            {
                case (true, { } charge):
                    return new(null, Charged: new(id), Charge: charge);
                case (false, _):
                    return new(null, IsRunning: true);
            }
        }

        return null;
    }

    /// <summary>
    /// A call without a name: nobody else can place its hold, so that on this node's knowledge the outcome is known before its commit, and the provider
    /// can be asked meanwhile.
    /// </summary>
    private async Task<Placement> PlaceEarlyAsync(Identity identity, CallRoute route, CallAsk ask, string requestId)
    {
        var (account, caller) = (identity.Account, new Caller(identity.Actor, requestId));
        var command = new PlaceCallHold(account, identity.By.Key, route.Name, requestId, ask, options.HoldLifetime) { By = identity.By };
        var commit = ledger.Execute(command, caller, out var early);
        return early is { Refusal: null, Answer: { } expected, After: { } after }
            ? new(CallOf(identity, ask, expected, after, requestId), Commit: ConfirmAsync())
            : await ConfirmAsync();

        async Task<Placement> ConfirmAsync()
        {
            var verdict = await commit;
            if (verdict.Refusal is { } refusal)
                return new(null, refusal.Code, refusal.Shortfall);
            var call = CallOf(identity, ask, verdict.Answer!.Value, await AfterAsync(verdict, account), requestId);
            live.Add(call);
            return new(call);
        }
    }

    private async ValueTask<Account> AfterAsync(Verdict verdict, AccountId account) =>
        verdict.After ?? (await ledger.ReadAsync(account)).Account;

    private LiveCall CallOf(Identity identity, CallAsk ask, in Fact placed, Account account, string requestId, Guid? successor = null)
    {
        var card = CardOf((HoldPlaced)placed.Event);

        // A pack may be priced by the card that it was bought by; who serves it is what the card in force says.
        var serving = ask.Payment == CallPayment.Pack ? ledger.Book.InForce(placed.At) ?? card : card;
        var models = ask.ChainOn(serving, account.Keys.Find(identity.By.Key));
        return new(identity.Account, placed, card, models, identity.Actor, requestId) { Successor = successor };
    }

    /// <summary>Charges a call, however long the database is away, within bounds.</summary>
    /// <param name="call">The call.</param>
    /// <param name="record">What it came to.</param>
    /// <param name="keep">Done with the charge before the call has ended: whoever waits for its end finds what was kept.</param>
    /// <returns>The charge; null where the ledger refuses it, which is a fault of ours and logged.</returns>
    /// <exception cref="LedgerUnavailableException">It was away for too long; then the hold lapses.</exception>
    public async Task<CallCharge?> SettleAsync(LiveCall call, CallRecord record, Func<CallCharge, Task>? keep = null)
    {
        try
        {
            var command = new SettleCall(call.Account, call.Id, record, call.Successor);
            var verdict = await PersistAsync(command, call);
            if (verdict.Refusal is { } refusal)
            {
                LogNotCharged(logger, call.Id, refusal.Code);
                return null;
            }

            var fact = verdict.Answer!.Value;
            var charge = ChargeOf(fact, verdict.After ?? await PersistAsync(async () => (await ledger.ReadAsync(call.Account)).Account));
            if (keep is not null)
                await keep(charge);
            return charge;
        }
        finally
        {
            live.End(call);
        }
    }

    /// <summary>The charge that a fact is.</summary>
    /// <param name="fact">A settlement.</param>
    /// <param name="account">The account after it.</param>
    public static CallCharge ChargeOf(in Fact fact, Account account)
    {
        var (charged, paid, entry, call) = fact.Event switch
        {
            HoldSettled e => (e.Charged, e.FromHold.AddRange(e.FromAvailable), e.Entry, e.Call),
            HoldSettledLate e => (e.Charged, e.Paid, e.Entry, e.Call),
            _ => throw new InvalidDataException($"{fact.Event.GetType().Name} charges no call."),
        };
        var scope = entry.StartsWith("packs/", StringComparison.Ordinal) && call is not null ? call.Provider + "/" + call.Model : null;
        return new(new(fact.Id), charged, paid.IsEmpty ? null : paid[^1].Pocket, scope, call?.Quota is not null, account, fact.At);
    }

    /// <summary>Gives a call's funds back; where the ledger is away, its hold lapses.</summary>
    public async Task ReleaseAsync(LiveCall call)
    {
        try
        {
            var verdict = await PersistAsync(new ReleaseHold(call.Account, null, call.Id), call);
            if (verdict.Refusal is { Code: not RejectionCode.HoldAlreadyExpired } refusal)
                LogNotReleased(logger, call.Id, refusal.Code);
        }
        catch (LedgerUnavailableException away)
        {
            LogLapses(logger, call.Id, away.Message);
        }
        finally
        {
            live.End(call);
        }
    }

    /// <summary>The provider has done its work: an outage of a moment is no reason to do without its charge, or to keep funds from the caller.</summary>
    private Task<Verdict> PersistAsync(AccountCommand command, LiveCall call) =>
        PersistAsync(() => ledger.ExecuteAsync(command, new(call.Actor, call.RequestId)));

    private async Task<T> PersistAsync<T>(Func<Task<T>> attempt)
    {
        var since = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await attempt();
            }
            catch (LedgerUnavailableException away)
                when (time.GetElapsedTime(since) < options.HoldLifetime && !live.Cut.IsCancellationRequested)
            {
                await Task.Delay(away.RetryAfter / 4, time, CancellationToken.None);
            }
        }
    }

    private Task<(bool HasEnded, Fact? Charge)> FateAsync(
        AccountId account,
        HoldId hold,
        long since,
        string requestId,
        CancellationToken ct
    ) => FateAsync(account, hold, options.RepeatPatience - time.GetElapsedTime(since), requestId, ct);

    /// <summary>What became of a hold that was placed: whether it has ended, and the fact that charged it, if one did.</summary>
    /// <param name="account">Whose it is.</param>
    /// <param name="hold">The hold.</param>
    /// <param name="patience">For how long its end is waited for.</param>
    /// <param name="requestId">The request that asks.</param>
    /// <param name="ct">Gives up waiting.</param>
    public async Task<(bool HasEnded, Fact? Charge)> FateAsync(
        AccountId account,
        HoldId hold,
        TimeSpan patience,
        string requestId,
        CancellationToken ct
    )
    {
        var since = time.GetTimestamp();
        Guid[] ids = [EventIds.LateSettlement(account, hold), EventIds.HoldEnd(account, hold)];
        while (true)
        {
            var isOpen = true;
            foreach (var id in ids)
            {
                if (await ledger.FindAsync(account, id, ct) is not { } end)
                    continue;
                if (end.Event is HoldSettled or HoldSettledLate)
                    return (true, end);
                isOpen = false;
            }

            if (!isOpen)
                return (true, null);

            // What has merely lapsed is journalled: the next attempt needs the end of this one in the log.
            var state = (await ledger.ReadAsync(account)).Account;
            if (state.Wallet.Holds.TryGetValue(hold, out var open) && open.ExpiresAt <= LedgerTime.Later(time, state.LastAt))
            {
                var id = EventIds.Request(account, $"lapse:{hold}:{requestId}");
                await ledger.ExecuteAsync(new RecordDue(account, id), Caller.System(requestId));
                continue;
            }

            var left = patience - time.GetElapsedTime(since);
            if (left <= TimeSpan.Zero)
                return (false, null);
            try
            {
                if (live.Find(hold) is { } first)
                    await first.Done.WaitAsync(left, time, ct);
                else
                    await Task.Delay(Poll, time, ct);
            }
            catch (TimeoutException)
            {
                return (false, null);
            }
        }
    }

    private RateCard CardOf(HoldPlaced placed) =>
        ledger.Book.Find(placed.Card) ?? throw new InvalidDataException($"Rate card {placed.Card} was never published.");

    [LoggerMessage(Level = LogLevel.Error, Message = "A call that was served could not be charged: hold {Hold}, {Code}.")]
    private static partial void LogNotCharged(ILogger logger, HoldId hold, RejectionCode code);

    [LoggerMessage(Level = LogLevel.Error, Message = "The hold {Hold} could not be released: {Code}.")]
    private static partial void LogNotReleased(ILogger logger, HoldId hold, RejectionCode code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The hold {Hold} could not be released and lapses: {Reason}")]
    private static partial void LogLapses(ILogger logger, HoldId hold, string reason);
}
