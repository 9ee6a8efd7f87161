using Ledger.Domain;
using Ledger.Domain.RateCards;
using Ledger.EventStore;
using Ledger.Projections;
using Ledger.Projections.Pricing;

namespace Ledger.Api.Application;

/// <summary>The price list: its versions in memory, and the one writer of its stream on this node.</summary>
/// <param name="log">The log.</param>
/// <param name="time">The clock.</param>
public sealed class RateCards(IEventLog log, TimeProvider time) : IDisposable
{
    private readonly SemaphoreSlim _gate = new(1, 1);
    private volatile RateBook _book = RateBook.Empty;

    /// <summary>Every version this node knows of. Whoever charges by it has its version checked in the same transaction.</summary>
    public RateBook Book => _book;

    /// <summary>Reads what was published since, and everything anew where the log no longer holds what was read before.</summary>
    public async Task<RateBook> ReloadAsync(CancellationToken ct)
    {
        await _gate.WaitAsync(ct);
        try
        {
            return await ReadAsync(ct);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Publishes a version.</summary>
    /// <returns>The card, or why it was not published.</returns>
    public async Task<Publication> PublishAsync(PublishRateCard command, Caller caller, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(command);
        await _gate.WaitAsync(ct);
        try
        {
            var prices = new CardWrites();
            await using var writer = await log.OpenWriterAsync(prices.All, ct);
            while (true)
            {
                var book = await ReadAsync(ct);
                var now = LedgerTime.Later(time, book.LastAt);
                if (command.IsOutdated(book, now))
                    return new(null, null);
                switch (command.Decide(book, now))
                {
                    case Decision<RateCardEvent>.Rejected(var code, _):
                        return new(null, code);
                    case Decision<RateCardEvent>.Accepted({ IsEmpty: true }):
                        return new(book.FindSame(command.Document, command.EffectiveAt, now), null);
                    case Decision<RateCardEvent>.Accepted(var events):
                        var append = new StreamAppend(RateBook.StreamId, RateBook.StreamType, book.Version, _lastHash);
                        foreach (var @event in events)
                        {
                            var id = EventIds.Derive(
                                default,
                                "rate-card",
                                append.ExpectedVersion.ToString(System.Globalization.CultureInfo.InvariantCulture),
                                caller.RequestId
                            );
                            append.Add(new(id, LedgerEvents.Types.Of(@event), @event, now, caller.Actor, caller.RequestId, null));
                            book = RateBook.Evolve(book, @event, now);
                        }

                        prices.Clear();
                        prices.Add(1, book.Cards[^1]);
                        var trip = new Trip();
                        trip.Streams.Add(append);
                        var result = await writer.SendAsync(trip, CancellationToken.None);
                        if (!result.Won[0])
                            continue; // Another node published in between: decide on what it left.
                        (_book, _lastHash) = (book, append.LastHash);
                        return new(book.Cards[^1], null) { IsNew = true };
                    default:
                        throw new System.Diagnostics.UnreachableException();
                }
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _gate.Dispose();

    private ReadOnlyMemory<byte> _lastHash = HashChain.Start;

    private async Task<RateBook> ReadAsync(CancellationToken ct)
    {
        // The last version known is read again, for a fail-over or a restore may have taken it away, or have put another in its place. The chain
        // tells: where its hash stands, everything before it stands too. Where it does not, nothing that was known counts.
        var (book, hash) = (_book, _lastHash);
        var isKnown = book.Version == 0;
        for (var after = Math.Max(book.Version - 1, 0); ; after = book.Version)
        {
            var page = await log.ReadStreamAsync(RateBook.StreamId, after, 100, ct);
            if (!isKnown && !(page is [var last, ..] && last.ReadHash().AsSpan().SequenceEqual(hash.Span)))
            {
                (book, hash, isKnown) = (RateBook.Empty, HashChain.Start, true);
                page = await log.ReadStreamAsync(RateBook.StreamId, 0, 100, ct);
            }

            if (page.Count == 0)
                break;
            foreach (var stored in isKnown ? page : page.Skip(1))
            {
                book = RateBook.Evolve(book, (RateCardEvent)LedgerEvents.Types.Read(stored), stored.At);
                hash = stored.ReadHash();
            }

            isKnown = true;
        }

        (_book, _lastHash) = (book, hash);
        return book;
    }
}

/// <summary>What publishing came to.</summary>
/// <param name="Card">The card that was published, or that was the same already; null where it was refused or is outdated.</param>
/// <param name="Refusal">Why it was refused; null where it was not.</param>
public readonly record struct Publication(RateCard? Card, RejectionCode? Refusal)
{
    /// <summary>Whether this made a new version.</summary>
    public bool IsNew { get; init; }

    /// <summary>Whether it was compared with other versions than there are by now, and was not published for that.</summary>
    public bool IsOutdated => Card is null && Refusal is null;
}

/// <summary>The clock as the log keeps it.</summary>
internal static class LedgerTime
{
    /// <summary>Now, to the microsecond, as PostgreSQL stores it.</summary>
    public static DateTimeOffset Now(TimeProvider time)
    {
        var now = time.GetUtcNow();
        return new(now.UtcTicks - (now.UtcTicks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
    }

    /// <summary>The later of now and a stream's last event: a clock that steps back never puts an event before its predecessor.</summary>
    public static DateTimeOffset Later(TimeProvider time, DateTimeOffset last) => Now(time) is var now && now > last ? now : last;
}
