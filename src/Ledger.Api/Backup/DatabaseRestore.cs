using System.Globalization;
using Ledger.Api.Hosting;
using Ledger.Api.Http;
using Ledger.EventStore;
using Ledger.EventStore.Checkpoints;
using Ledger.Projections;
using Ledger.Projections.Audit;
using Ledger.Projections.Rebuild;
using Npgsql;

namespace Ledger.Api.Backup;

/// <summary>
/// Puts a backup into an empty database, and keeps that closed until all of it was verified: the log against the manifest, by an audit, with every read model.
/// What payment providers have told since is asked for by <see cref="Payments.PaymentReconciliation"/>, before the ledger is opened.
/// </summary>
internal sealed class DatabaseRestore(LedgerDatabase database, Auditor auditor, TimeProvider time)
{
    private NpgsqlDataSource Connections => database.Connections;

    /// <summary>Fills the database, which is closed before the first byte is in it.</summary>
    /// <exception cref="BackupException">The backup is damaged or too new, or the database is not empty: nothing has changed.</exception>
    public async Task<BackupManifest> FillAsync(string folder, CancellationToken ct)
    {
        var manifest = await BackupManifest.ReadAsync(folder, ct);
        if (Newer(manifest) is { } newer)
            throw new BackupException(
                $"The backup has migration {newer}, which this program does not know: a newer one made it. Upgrade this one."
            );
        var closure = await Closures.FindAsync(Connections, ct);
        if (
            closure is not null
            && (closure.What != Closures.Restore || !closure.Detail.StartsWith(manifest.Digest + " ", StringComparison.Ordinal))
        )
            throw new BackupException($"{closure.Reason} It is of something else than {folder}.");
        if (!await LogFacts.IsBlankAsync(Connections, ct))
        {
            // A restore that was interrupted behind this point.
            if (closure is not null)
                return manifest;
            throw new BackupException(
                "The database is not empty, and a restore begins with nothing. Name another database or data folder; nothing was changed."
            );
        }

        var tools = await DatabaseTools.FindAsync(
            database.ConnectionString,
            Math.Max(manifest.Server, await LogFacts.ServerVersionAsync(Connections, ct)),
            time,
            ct
        );
        if (closure is null)
            await CloseAsync(manifest.Digest!, manifest.Log.At, ct);
        await tools.RunAsync(
            "pg_restore",
            ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", Path.Combine(folder, manifest.File)],
            ct
        );
        return manifest;
    }

    /// <summary>Verifies what is there: against the manifest where there is one, and every event, checkpoint and row.</summary>
    /// <param name="manifest">What the backup says it holds; null where it came by other means.</param>
    /// <param name="outside">Checkpoints kept outside of the database; null where there are none.</param>
    /// <param name="rebuild">Whether read models are built anew first.</param>
    /// <param name="rebuilding">Told how far the read models are.</param>
    /// <param name="auditing">Told how far the audit is.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>What the audit came to, and how many of the checkpoints kept outside speak of what came after: they are left aside.</returns>
    /// <exception cref="BackupException">The log is not the one of the manifest.</exception>
    public async Task<(AuditReport Report, int Later)> VerifyAsync(
        BackupManifest? manifest,
        CheckpointFile? outside,
        bool rebuild,
        IProgress<RebuildProgress>? rebuilding,
        IProgress<AuditProgress>? auditing,
        CancellationToken ct
    )
    {
        // Whatever happens next, nobody is let in before the end.
        var closure = await Closures.FindAsync(Connections, ct);
        if (closure is { What: not Closures.Restore })
            throw new BackupException(closure.Reason);
        if (closure is null)
            await CloseAsync("finish", (await LogFacts.ReadAsync(Connections, ct)).At, ct);
        await new NpgsqlEventLog(Connections, ReadModelMigrations.All).MigrateClosedAsync(ct);
        var facts = await LogFacts.ReadAsync(Connections, ct);
        if (manifest is not null && Difference(manifest.Log, facts) is { } difference)
            throw new BackupException($"The restored log is not the one that was backed up: {difference}. The ledger stays closed.");
        await LogFacts.AnalyzeAsync(Connections, ct);
        if (rebuild)
            await new Rebuilder(Connections, time).RebuildAsync("all", rebuilding, ct);
        if (outside is null)
            return (await auditor.RunAsync(null, auditing, ct), 0);
        var before = new CheckpointFile(Path.Combine(Path.GetTempPath(), "ledger-" + Path.GetRandomFileName()));
        try
        {
            var later = await CopyAsync(outside, facts.Position, before, ct);
            return (await auditor.RunAsync(before.Exists ? before : null, auditing, ct), later);
        }
        finally
        {
            File.Delete(before.Path);
        }
    }

    /// <summary>Copies the checkpoints up to a position, and counts the others: a backup is older than what was kept since.</summary>
    private static async Task<int> CopyAsync(CheckpointFile from, long upTo, CheckpointFile to, CancellationToken ct)
    {
        var (pages, keys, later) = (new CheckpointPages(to), new List<CheckpointKey>(), 0);
        foreach (var line in from.Read())
        {
            if (line.Key is { } key)
            {
                keys.Add(key);
            }
            else if (line.Checkpoint!.Checkpoint.Position <= upTo)
            {
                await pages.AddAsync(keys, line.Checkpoint, ct);
                keys.Clear();
            }
            else
            {
                later++;
            }
        }

        await pages.EndAsync(ct);
        return later;
    }

    /// <summary>Lets everybody in.</summary>
    public Task OpenAsync(CancellationToken ct) => Closures.OpenAsync(Connections, Closures.Restore, ct);

    /// <summary>
    /// When the log ended, as it was restored: what is asked for since then may itself add to the log, and must be asked for from the same moment where that was
    /// interrupted. Null where the log is empty.
    /// </summary>
    public async Task<DateTimeOffset?> EndedAtAsync(CancellationToken ct) =>
        await Closures.FindAsync(Connections, ct) is { } closure && WireTime.TryParse(closure.Detail.Split(' ')[^1], out var at)
            ? at
            : null;

    private async Task CloseAsync(string of, DateTimeOffset? endedAt, CancellationToken ct)
    {
        await using var connection = await Connections.OpenConnectionAsync(ct);
        await Closures.PrepareAsync(connection, ct);
        await Closures.CloseAsync(connection, new(Closures.Restore, $"{of} {(endedAt is { } at ? WireTime.Format(at) : "-")}"), ct);
    }

    private static string? Newer(BackupManifest manifest)
    {
        var known = NpgsqlEventLog
            .Known(ReadModelMigrations.All)
            .GroupBy(migration => migration.Component)
            .ToDictionary(same => same.Key, same => same.Max(migration => migration.Number), StringComparer.Ordinal);
        return manifest
            .Log.Schema.Where(component => component.Value > known.GetValueOrDefault(component.Key))
            .Select(component => string.Create(CultureInfo.InvariantCulture, $"{component.Key} {component.Value}"))
            .FirstOrDefault();
    }

    private static string? Difference(LogFacts wanted, LogFacts found) =>
        (wanted.Position, wanted.Events, wanted.Streams) != (found.Position, found.Events, found.Streams)
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"it has {found.Events} events in {found.Streams} streams up to position {found.Position}, and had {wanted.Events} in {wanted.Streams} up to {wanted.Position}"
            )
        : (wanted.Checkpoint, wanted.CheckpointHash) != (found.Checkpoint, found.CheckpointHash)
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"its last checkpoint is {found.Checkpoint}, and was {wanted.Checkpoint}, or is another one"
            )
        : null;
}
