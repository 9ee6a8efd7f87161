using Ledger.EventStore;
using Ledger.EventStore.Transfer;
using Ledger.Projections.Transfer;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Projections.Tests.Transfer;

/// <summary>A ledger with a history of every kind of event, and a folder for what is exported of it.</summary>
internal sealed class TransferWorld : IAsyncDisposable
{
    private readonly TestFolder _folder = TestFolder.Create();

    private TransferWorld(LedgerDatabase ledger) => Ledger = ledger;

    public LedgerDatabase Ledger { get; }

    public static async Task<TransferWorld> CreateAsync(int seed, int steps = 25)
    {
        var ledger = await LedgerDatabase.CreateAsync();
        await ledger.PublishAsync(Domain.Money.Quantity.Of(1));
        await using var history = await ledger.OpenHistoryAsync(seed, 6);
        for (var step = 0; step < steps; step++)
        {
            await history.StepAsync();

            // What was rolled back leaves a gap.
            if (step % 7 == 3)
                await ledger.ExecuteAsync("select nextval('mt_events_sequence')");
        }

        await ledger.PublishAsync(Domain.Money.Quantity.Of(2));
        await ledger.ExecuteAsync("insert into mt_event_progression (name, last_seq_id) values ('referrals', 7), ('journal', 9)");
        return new(ledger);
    }

    /// <summary>A folder that is not there yet.</summary>
    public string Folder(string name) => Path.Combine(_folder.Path, name);

    public async Task<ExportManifest> ExportAsync(
        string folder,
        string format = "jsonl",
        int part = 50,
        long? from = null,
        long? to = null,
        IProgress<TransferProgress>? progress = null,
        CancellationToken ct = default
    ) => await new LogExport(Ledger.Database, TimeProvider.System).RunAsync(new(Folder(folder), format, from, to, part), progress, ct);

    /// <summary>Imports into a new, empty database.</summary>
    public async Task<Imported> ImportAsync(string folder)
    {
        var imported = await Imported.CreateAsync();
        try
        {
            await imported.RunAsync(Folder(folder));
            return imported;
        }
        catch
        {
            await imported.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Ledger.DisposeAsync();
        await _folder.DisposeAsync();
    }
}

/// <summary>Somewhere to import to.</summary>
internal sealed class Imported : IAsyncDisposable
{
    private Imported(string connectionString) =>
        (ConnectionString, Database) = (connectionString, NpgsqlDataSource.Create(connectionString));

    public string ConnectionString { get; }

    public NpgsqlDataSource Database { get; }

    public static async Task<Imported> CreateAsync() => new(await new PostgresFixture().CreateDatabaseAsync());

    public Task<ExportManifest> RunAsync(string folder) => RunAsync(folder, null, default);

    public Task<ExportManifest> RunAsync(string folder, IProgress<TransferProgress>? progress, CancellationToken ct) =>
        new LedgerImport(Database, new NpgsqlEventLog(Database, ReadModelMigrations.All), TimeProvider.System).RunAsync(
            folder,
            progress,
            null,
            ct
        );

    public ValueTask DisposeAsync() => Database.DisposeAsync();
}
