using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Metering;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections;
using Ledger.Projections.Accounts;
using Ledger.Projections.Refusals;

namespace Ledger.Api.Decisions;

/// <summary>
/// Explains decisions by making them again: the account is folded up to the version that the decision was made on, and the same command is decided there by
/// the rate card of then. What is recorded is found in the account's own history by the time in the request's id; what was refused, among the samples.
/// </summary>
internal sealed class DecisionDesk(
    LedgerService ledger,
    IEventLog log,
    LogScan scan,
    AccountSnapshots snapshots,
    RefusalRecords records,
    RefusalWriter writer,
    TimeProvider time
) : IDisposable
{
    /// <summary>The most events of an account that are looked at for a request.</summary>
    public const int MaxLooked = 200_000;

    private const int Page = 1000;

    // Each may look at many events: so many at a time, whoever asks.
    private readonly SemaphoreSlim _places = new(4);

    // A clock may be set back while a request waits; few requests are decided later than the second, none that was not read for minutes later than the third.
    private static readonly TimeSpan Before = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Late = TimeSpan.FromMinutes(10);

    /// <inheritdoc/>
    public void Dispose() => _places.Dispose();

    /// <summary>What was decided in a request of an account, or in a charge or hold of it; null where there is nothing that is known.</summary>
    /// <param name="id">The account.</param>
    /// <param name="request">The request's id, or that of a spend or a hold.</param>
    /// <param name="skip">How many decisions are passed over.</param>
    /// <param name="limit">The most that are explained.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="LedgerUnavailableException">The database is away.</exception>
    public async Task<ExplainedRequest?> FindAsync(AccountId id, string request, int skip, int limit, CancellationToken ct)
    {
        await _places.WaitAsync(ct);
        try
        {
            return await FindOneAsync(id, request, skip, limit, ct);
        }
        finally
        {
            _places.Release();
        }
    }

    private async Task<ExplainedRequest?> FindOneAsync(AccountId id, string request, int skip, int limit, CancellationToken ct)
    {
        List<Found> found;
        if (Guid.TryParseExact(request, "D", out var @event))
        {
            if (await log.FindAsync([(id.StreamId, @event)], ct) is not [var stored])
                return null;
            found = [.. Decisions([stored])];
            request = stored.CorrelationId ?? request;
        }
        else if (RequestIds.TryRead(request, out var at))
        {
            found = await FindAsync(id, request, at, ct);
        }
        else
        {
            return null;
        }

        if (found.Count == 0)
            return null;
        var (current, book) = await ledger.ReadAsync(id);
        var now = LedgerTime.Later(time, current.LastAt);
        current = current.LapsedAt(now);
        var page = found.OrderBy(one => one.Version).ThenBy(one => one.Refused?.At ?? one.Fact!.Value.At).Skip(skip).Take(limit).ToList();
        return new(
            request,
            await ExplainAsync(id, request, page, new(current, book), now, ct),
            found.Count <= skip + page.Count,
            current,
            book,
            now
        );
    }

    private async Task<List<Found>> FindAsync(AccountId id, string request, DateTimeOffset at, CancellationToken ct)
    {
        // What this node has refused a moment ago is to be found too.
        await writer.WriteAsync(ct);
        var found = (await records.FindAsync(id, request, ct)).Select(refused => new Found(refused.Version, refused, null, 0)).ToList();
        var stored = await scan.CausedByAsync(id.StreamId, request, at - Before, at + Soon, MaxLooked, ct);
        if (stored.Count == 0 && found.Count == 0)
            stored = await scan.CausedByAsync(id.StreamId, request, at + Soon, at + Late, MaxLooked, ct);
        var accepted = Decisions(stored).ToList();

        // A call may be charged long after it was let in; where, its hold tells.
        var ends = accepted
            .Where(one => one.Fact!.Value.Event is HoldPlaced { Call: not null })
            .SelectMany(one => EndsOf(id, new(one.Fact!.Value.Id)))
            .Except(accepted.Select(one => one.Fact!.Value.Id))
            .ToList();
        if (ends.Count > 0)
            accepted.AddRange(
                Decisions((await log.FindAsync([.. ends.Select(end => (id.StreamId, end))], ct)).Where(end => end.CorrelationId == request))
            );
        found.AddRange(accepted);
        return found;
    }

    private static IEnumerable<Guid> EndsOf(AccountId id, HoldId hold) => [EventIds.HoldEnd(id, hold), EventIds.LateSettlement(id, hold)];

    private static IEnumerable<Found> Decisions(IEnumerable<StoredEvent> stored)
    {
        foreach (var one in stored)
        {
            var fact = LedgerEvents.ToFact(one);
            if (DecisionResult.Of(fact.Event) is not null)
                yield return new(one.Version - 1, null, fact, one.Position);
        }
    }

    private async Task<List<Explained>> ExplainAsync(
        AccountId id,
        string request,
        List<Found> page,
        CurrentAccount current,
        DateTimeOffset now,
        CancellationToken ct
    )
    {
        var explained = new List<Explained>(page.Count);
        var state = Account.Empty(id);
        foreach (var one in page)
        {
            // The decisions of one request stand close together: each is folded on from the one before.
            state =
                state.Version > 0 && one.Version - state.Version is >= 0 and <= Page
                    ? await FoldOnAsync(state, one.Version, ct)
                    : (await snapshots.FoldAsync(id, one.Version, ct)).Account;
            explained.Add(await ExplainAsync(request, one, state, current, now, ct));
        }

        return explained;
    }

    private async Task<Account> FoldOnAsync(Account state, long version, CancellationToken ct)
    {
        while (state.Version < version)
        {
            var events = await log.ReadStreamAsync(state.Id.StreamId, state.Version, (int)(version - state.Version), ct);
            if (events.Count == 0)
                break;
            foreach (var stored in events)
                state = Account.Evolve(state, LedgerEvents.ToFact(stored));
        }

        return state;
    }

    private async Task<Explained> ExplainAsync(
        string request,
        Found found,
        Account state,
        CurrentAccount current,
        DateTimeOffset now,
        CancellationToken ct
    )
    {
        var (book, at) = (current.Book, found.Refused?.At ?? found.Fact!.Value.At);
        var asked = found.Refused is { } refused ? AskedWork.Read(refused.Asked) : AskedWork.Of(found.Fact!.Value, state);
        var recorded = found.Refused is { } no
            ? DecisionResult.Refused(no.Code, ShortfallText.Read(no.Shortfall))
            : DecisionResult.Of(found.Fact!.Value.Event)!;

        // The card that the decision was made by. A pack may be charged by the card that it was bought by, beside the one in force.
        var decidedBy =
            found.Refused is { Card: > 0 and var card } ? book.Find(card)
            : found.Fact?.Event is CreditsSpent or HoldPlaced { Call: null or { Scope: null } } ? book.Find(recorded.Card)
            : null;
        decidedBy ??= book.InForce(at);

        DecisionResult? again = null;
        string? why = null;
        Hold? hold = null;
        if (state.Version != found.Version)
            why = $"The log no longer holds version {found.Version} of the account, on which this was decided.";
        else if (asked is null)
            why =
                found.Refused?.Code == RefusalBook.RateLimited
                    ? "How many requests came is counted in memory only, and not kept."
                    : "Only work is decided again: spends, holds and their ends, and calls.";
        else if (asked.Kind == AskedWork.Access)
            again = state.RefusesWork(asked.ToCredential(), at) is { } code
                ? DecisionResult.Refused(LedgerMetrics.CodeName(code), null)
                : new(null, null, 0, null, [], null, null, null);
        else
            (again, hold, asked) = await DecideAsync(state, asked, recorded, decidedBy!, book, at, ct);

        return new(
            asked?.Kind ?? found.Refused!.Kind,
            at,
            found.Version,
            found.Fact is { } fact ? (fact.Id, fact.Version, found.Position) : null,
            found.Refused?.Key ?? asked?.Key ?? default,
            asked,
            state.LapsedAt(at),
            decidedBy,
            hold,
            recorded,
            again,
            why,
            Today(request, asked, current, now)
        );
    }

    /// <summary>Makes a decision again, with all that the log held under its ids by then.</summary>
    private async Task<(DecisionResult? Again, Hold? Hold, AskedWork Asked)> DecideAsync(
        Account state,
        AskedWork asked,
        DecisionResult recorded,
        RateCard card,
        RateBook book,
        DateTimeOffset at,
        CancellationToken ct
    )
    {
        DecisionResult? first = null;
        Hold? hold = null;
        foreach (var candidate in Candidates(asked, recorded))
        {
            if (candidate.ToCommand(state.Id) is not { } command)
                break;
            if (first is null && candidate.Hold is { } about)
                hold = state.Wallet.Holds.GetValueOrDefault(about);
            var known = (await log.FindAsync([.. command.Recalls.Select(id => (state.Id.StreamId, id))], ct))
                .Where(stored => stored.Version <= state.Version)
                .Select(LedgerEvents.ToFact)
                .ToList();
            if (hold is null && known.Find(fact => fact.Id == candidate.Hold?.Value) is { Event: HoldPlaced placed } fact)
                hold = Hold.From(fact, placed);
            var again = DecisionResult.Of(state.Transact(command, new(at, card, Past.Of(known), book)));
            if (again.IsSameAs(recorded))
                return (again, hold, candidate);
            first ??= again;
        }

        return (first, hold, asked);
    }

    /// <summary>What may have been asked: what a call might write to a cache, its hold does not tell but by its amount.</summary>
    private static IEnumerable<AskedWork> Candidates(AskedWork asked, DecisionResult recorded) =>
        asked.Call is { } call && recorded.Code is null
            ?
            [
                asked,
                asked with
                {
                    Call = call with { Cache = CacheUse.Writes },
                },
                asked with
                {
                    Call = call with { Cache = CacheUse.Writes1h },
                },
            ]
            : [asked];

    /// <summary>The same asked anew, as by somebody who has not asked before.</summary>
    private static DecisionResult? Today(string request, AskedWork? asked, CurrentAccount current, DateTimeOffset now)
    {
        if (asked is not { IsUse: true } || current.Book.InForce(now) is not { } card)
            return null;
        var anew = asked with { Reference = "explained:" + request, Before = null };
        return anew.ToCommand(current.Account.Id) is { } command
            ? DecisionResult.Of(current.Account.Transact(command, new(now, card, Past.None, current.Book)))
            : null;
    }

    /// <summary>A decision as it was found.</summary>
    /// <param name="Version">The version that it was made on.</param>
    /// <param name="Refused">What was refused; null where it was accepted.</param>
    /// <param name="Fact">What was recorded; null where it was refused.</param>
    /// <param name="Position">Where in the log.</param>
    private sealed record Found(long Version, RefusalSample? Refused, Fact? Fact, long Position);
}
