using Npgsql;

namespace Ledger.Projections.Rebuild;

/// <summary>How far a rebuild has come.</summary>
/// <param name="Model">The read model.</param>
/// <param name="AccountsDone">Accounts whose rows stand; those that are written to meanwhile are brought up to date again later.</param>
/// <param name="AccountsTotal">Accounts there were at the start.</param>
/// <param name="Events">Events read.</param>
public readonly record struct RebuildProgress(string Model, long AccountsDone, long AccountsTotal, long Events);

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
public sealed class Rebuilder(NpgsqlDataSource database, TimeProvider time)
{
    /// <summary>The names of the read models; <c>all</c> among them.</summary>
    public static IReadOnlyList<string> Models { get; } = [.. ReadModel.All.Select(model => model.Name)];

    /// <summary>Rebuilds a read model and puts it in the place of the one that stands.</summary>
    /// <exception cref="ArgumentException">There is no such model.</exception>
    /// <exception cref="RebuildRefusedException">Another rebuild or comparison runs, or something that is not the ledger's depends on the tables.</exception>
    public async Task RebuildAsync(string model, IProgress<RebuildProgress>? progress, CancellationToken ct)
    {
        var wanted = ReadModel.Of(model);
        await using var shadow = await Shadow.OpenAsync(database, wanted, time, progress, ct);
        if (wanted.Tables.Count > 0)
        {
            await shadow.RefuseDependentsAsync(ct);
            await shadow.FillAsync(ct);
            await shadow.SwapAsync(ct);
        }

        if (wanted.HasCheckpoints)
            await new CheckpointReview(database, progress).MendAsync(ct);
    }

    /// <summary>Rebuilds a read model beside the one that stands, and tells where the two differ; nothing where all is well.</summary>
    /// <exception cref="ArgumentException">There is no such model.</exception>
    /// <exception cref="RebuildRefusedException">Another rebuild or comparison runs.</exception>
    public async Task<IReadOnlyList<Drift>> CompareAsync(string model, IProgress<RebuildProgress>? progress, CancellationToken ct)
    {
        var wanted = ReadModel.Of(model);
        await using var shadow = await Shadow.OpenAsync(database, wanted, time, progress, ct);
        var drifts = new List<Drift>();
        if (wanted.Tables.Count > 0)
        {
            await shadow.FillAsync(ct);
            drifts.AddRange(await shadow.CompareAsync(ct));
        }

        if (wanted.HasCheckpoints)
            drifts.AddRange(await new CheckpointReview(database, progress).CompareAsync(ct));
        return drifts;
    }
}
