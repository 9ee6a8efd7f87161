namespace Ledger.Projections.Rebuild;

/// <summary>Every read model made anew beside those that stand, to be compared with them.</summary>
/// <param name="shadow">The rows.</param>
/// <param name="review">What was found of state checkpoints.</param>
/// <param name="unreadable">The streams that could not be folded.</param>
/// <param name="events">How many events were folded.</param>
internal sealed class PreparedRows(Shadow shadow, CheckpointReview review, List<UnreadableStream> unreadable, long events)
    : IAsyncDisposable
{
    /// <summary>The streams that could not be folded.</summary>
    public IReadOnlyList<UnreadableStream> Unreadable => unreadable;

    /// <summary>How many events were folded.</summary>
    public long Events => events;

    /// <summary>Compares.</summary>
    public async Task<IReadOnlyList<Drift>> CompareAsync(CancellationToken ct) => [.. await shadow.CompareAsync(ct), .. review.Drifts];

    public ValueTask DisposeAsync() => shadow.DisposeAsync();
}
