using Ledger.EventStore;
using Npgsql;

namespace Ledger.Projections.Rebuild;

/// <summary>How far a rebuild has come.</summary>
/// <param name="Model">The read model.</param>
/// <param name="AccountsDone">Accounts whose rows stand; those that are written to meanwhile are brought up to date again later.</param>
/// <param name="AccountsTotal">Accounts there were at the start.</param>
/// <param name="Events">Events read.</param>
/// <param name="EventsTotal">Events there were at the start; 0 where they are not what is counted.</param>
public readonly record struct RebuildProgress(string Model, long AccountsDone, long AccountsTotal, long Events, long EventsTotal = 0);

/// <summary>A row of a read model that is not what the log says.</summary>
/// <param name="Table">The table.</param>
/// <param name="Key">The row's primary key, as JSON.</param>
/// <param name="Live">The row as it stands, as JSON; null where it is missing.</param>
/// <param name="Rebuilt">The row as the log says, as JSON; null where there should be none.</param>
public sealed record Drift(string Table, string Key, string? Live, string? Rebuilt);

/// <summary>A rebuild was refused: another one runs, or something that is not the ledger's depends on the tables.</summary>
public sealed class RebuildRefusedException(string message) : Exception(message);

/// <summary>
/// Rebuilds read models from the log while writing goes on, and compares them with the log. Rows are built in a shadow schema by the very
/// same SQL that writes them live, account by account, in bounded memory; then whatever was appended meanwhile is caught up with, at last
/// under a lock, and the tables change places.
/// </summary>
/// <param name="database">The database. Its role must own the read models.</param>
/// <param name="time">The clock, for pauses between attempts.</param>
/// <param name="accountsAtOnce">How many accounts are folded at once: what bounds the memory.</param>
public sealed class Rebuilder(NpgsqlDataSource database, TimeProvider time, int accountsAtOnce = Shadow.AccountsAtOnce)
{
    /// <summary>The names of the read models; <c>all</c> among them.</summary>
    public static IReadOnlyList<string> Models { get; } = [.. ReadModel.All.Select(model => model.Name)];

    /// <summary>Rebuilds a read model and puts it in the place of the one that stands.</summary>
    /// <exception cref="ArgumentException">There is no such model.</exception>
    /// <exception cref="RebuildRefusedException">Another rebuild or comparison runs, or something that is not the ledger's depends on the tables.</exception>
    public async Task RebuildAsync(string model, IProgress<RebuildProgress>? progress, CancellationToken ct)
    {
        var wanted = ReadModel.Of(model);
        var review = wanted.HasCheckpoints ? new CheckpointReview(database, progress) { Mends = true } : null;
        if (wanted.Tables.Count == 0)
        {
            await (review?.MendAsync(ct) ?? Task.CompletedTask);
            return;
        }

        await using var shadow = await Shadow.OpenAsync(database, wanted, time, progress, ct, accountsAtOnce: accountsAtOnce);
        await shadow.RefuseDependentsAsync(ct);
        await (review?.BeginAsync(ct) ?? Task.CompletedTask);
        await shadow.FillAsync(new() { Checkpoints = review, Progress = shadow.Count }, RestOf(review, ct), ct);
        await shadow.SwapAsync(ct);
    }

    /// <summary>Drops what a rebuild or comparison that was killed has left behind, unless another one is at work: nobody else would before the next one begins.</summary>
    /// <returns>Whether that was possible; not so for a role that does not own it, which is no reason for anybody to stop.</returns>
    public async Task<bool> DropHalfAsync(CancellationToken ct)
    {
        try
        {
            await Shadow.DropHalfAsync(database, ct);
            return true;
        }
        catch (PostgresException e) when (!Outage.IsState(e.SqlState))
        {
            return false;
        }
    }

    /// <summary>Rebuilds a read model beside the one that stands, and tells where the two differ; nothing where all is well.</summary>
    /// <exception cref="ArgumentException">There is no such model.</exception>
    /// <exception cref="RebuildRefusedException">Another rebuild or comparison runs.</exception>
    /// <param name="model">Its name.</param>
    /// <param name="progress">Told how far it has come.</param>
    /// <param name="ct">Gives up.</param>
    /// <param name="unreadable">Takes the streams that cannot be folded; all others are compared. Where it is null, such a stream is an exception.</param>
    public async Task<IReadOnlyList<Drift>> CompareAsync(
        string model,
        IProgress<RebuildProgress>? progress,
        CancellationToken ct,
        ICollection<UnreadableStream>? unreadable = null
    )
    {
        var wanted = ReadModel.Of(model);
        var review = wanted.HasCheckpoints ? new CheckpointReview(database, progress, unreadable) : null;
        if (wanted.Tables.Count == 0)
            return review is null ? [] : await review.CompareAsync(ct);
        await using var shadow = await Shadow.OpenAsync(database, wanted, time, progress, ct, unreadable, accountsAtOnce);
        await (review?.BeginAsync(ct) ?? Task.CompletedTask);
        await shadow.FillAsync(new() { Checkpoints = review, Progress = shadow.Count }, RestOf(review, ct), ct);
        return [.. await shadow.CompareAsync(ct), .. review?.Drifts ?? []];
    }

    /// <summary>What a pass has left, checkpoints are reviewed of event by event.</summary>
    internal static Func<LogPass, string?, string?, Task>? RestOf(CheckpointReview? review, CancellationToken ct) =>
        review is null
            ? null
            : async (pass, _, _) =>
            {
                foreach (var account in pass.Accounts.Values.Where(account => account.IsLeft))
                    await review.FollowAsync(account, ct);
            };
}
