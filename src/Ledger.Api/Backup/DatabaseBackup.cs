using System.Security.Cryptography;
using Ledger.Api.Application;
using Ledger.Api.Hosting;
using Ledger.EventStore;

namespace Ledger.Api.Backup;

/// <summary>Copies the whole database as of one moment, by PostgreSQL's own <c>pg_dump</c>: log, people, keys, read models.</summary>
internal sealed class DatabaseBackup(LedgerDatabase database, TimeProvider time)
{
    /// <summary>Makes a backup in a folder that has none yet.</summary>
    /// <exception cref="BackupException">It could not be made; nothing of it is left.</exception>
    public async Task<BackupManifest> RunAsync(string folder, CancellationToken ct)
    {
        var draft = Path.Combine(folder, BackupManifest.DumpName + ".part");
        try
        {
            // Secrets are in it: whoever sees the folder must be its owner.
            UnixModes.CreateFolder(folder, UnixModes.Private);
            if (Directory.EnumerateFileSystemEntries(folder).Any(entry => entry != draft))
                throw new BackupException($"{folder} is not empty. A backup gets a folder of its own; nothing was changed.");
            var server = await LogFacts.ServerVersionAsync(database.Connections, ct);
            var tools = await DatabaseTools.FindAsync(database.ConnectionString, server, time, ct);
            await using var point = await LogPoint.TakeAsync(database.Connections, ct);
            var madeAt = LedgerTime.Now(time);
            await tools.RunAsync(
                "pg_dump",
                [
                    "--format=custom",
                    "--file=" + draft,
                    "--snapshot=" + point.Snapshot,
                    // What closes a ledger is that ledger's own, and no part of its contents.
                    "--exclude-table=ledger_closures",
                    "--exclude-schema=ledger_rebuild",
                ],
                ct
            );
            UnixModes.Set(draft, UnixModes.Secret);
            string hash;
            await using (var dump = new FileStream(draft, FileMode.Open, FileAccess.ReadWrite))
            {
                hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(dump, ct));
                dump.Flush(flushToDisk: true);
            }

            var manifest = new BackupManifest(
                BackupManifest.Known,
                madeAt,
                server,
                point.Facts,
                BackupManifest.DumpName,
                new FileInfo(draft).Length,
                hash,
                null
            );
            File.Move(draft, Path.Combine(folder, BackupManifest.DumpName));
            await manifest.WriteAsync(folder, ct);
            return manifest;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException($"{folder} cannot be written: {e.Message}");
        }
        finally
        {
            if (File.Exists(draft))
                File.Delete(draft);
        }
    }
}
