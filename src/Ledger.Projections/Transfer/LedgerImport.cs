using Ledger.EventStore;
using Ledger.EventStore.Transfer;
using Ledger.Projections.Journal;
using Ledger.Projections.Rebuild;
using Ledger.Projections.Referrals;
using Npgsql;

namespace Ledger.Projections.Transfer;

/// <summary>
/// Makes a ledger out of an exported log: the log in one transaction, then the read models from it. In between the ledger is closed, and whoever imports the same export again
/// goes on with the read models.
/// </summary>
/// <param name="database">The database. Its role must own the tables.</param>
/// <param name="log">The log in it.</param>
/// <param name="time">The clock, for pauses between attempts.</param>
public sealed class LedgerImport(NpgsqlDataSource database, IEventLog log, TimeProvider time)
{
    // What the journal makes of the log is summed in tables that are not in the export. What referrals lead to is in the log, but where that was cut, a reward may be missing whose
    // referral was read before: read again, each is given once, by its id.
    private static readonly string[] BeginAnew = [JournalSums.Reader, ReferralRows.Reader];

    private static readonly HashSet<string> Known = LedgerEvents.Types.All.Select(type => type.Name).ToHashSet(StringComparer.Ordinal);

    /// <summary>Imports an export.</summary>
    /// <param name="folder">Where it is.</param>
    /// <param name="loading">Told how far the log is.</param>
    /// <param name="rebuilding">Told how far the read models are.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>The export's manifest.</returns>
    /// <exception cref="TransferException">There is no export, it is damaged, or the database is not empty: nothing has changed.</exception>
    public async Task<ExportManifest> RunAsync(
        string folder,
        IProgress<TransferProgress>? loading,
        IProgress<RebuildProgress>? rebuilding,
        CancellationToken ct
    )
    {
        var manifest =
            await ExportManifest.ReadAsync(folder, ct)
            ?? throw new TransferException($"There is no export in {folder}: it has no {ExportManifest.FileName}.");
        switch (await Closures.FindAsync(database, ct))
        {
            case null:
                await LoadAsync(folder, manifest, loading, ct);
                break;
            case { What: Closures.Import } begun when begun.Detail == manifest.Digest:
                break;
            case { What: Closures.Import }:
                throw new TransferException(
                    "Another export is being imported into this database. Go on with that one; nothing was changed."
                );
            case { } closure:
                throw new TransferException(closure.Reason);
        }

        await new Rebuilder(database, time).RebuildAsync("all", rebuilding, ct);
        await Closures.OpenAsync(database, Closures.Import, ct);
        return manifest;
    }

    private async Task LoadAsync(string folder, ExportManifest manifest, IProgress<TransferProgress>? progress, CancellationToken ct)
    {
        // At once, not after hours of reading.
        if (!await LogImport.IsEmptyAsync(database, ct))
            throw LogImport.NotEmpty();
        await log.MigrateAsync(ct);
        await new LogImport(database).RunAsync(folder, manifest, Known.Contains, BeginAnew, progress, ct);
    }
}
