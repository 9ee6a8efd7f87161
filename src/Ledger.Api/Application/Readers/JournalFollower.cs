using Ledger.EventStore;
using Ledger.Projections.Journal;
using Microsoft.Extensions.Options;

namespace Ledger.Api.Application.Readers;

/// <summary>Keeps the books of all accounts: sums per day what every event moves, for the finance reports.</summary>
public sealed class JournalFollower(JournalSums sums, IOptions<LedgerOptions> options) : LogFollower
{
    /// <inheritdoc/>
    public override string Name => JournalSums.Reader;

    /// <inheritdoc/>
    public override int Page => 2000;

    /// <inheritdoc/>
    public override TimeSpan Pause => options.Value.JournalInterval;

    /// <inheritdoc/>
    public override Task HandleAsync(IReadOnlyList<StoredEvent> page, CancellationToken ct) => sums.AddAsync(page, ct);
}
