using Ledger.EventStore;

namespace Ledger.Projections.Tests;

/// <summary>A log that counts the events that are read from its streams.</summary>
internal sealed class CountingLog(IEventLog log) : IEventLog
{
    public long Read { get; private set; }

    public async Task<IReadOnlyList<StoredEvent>> ReadStreamAsync(string streamId, long after, int limit, CancellationToken ct)
    {
        var page = await log.ReadStreamAsync(streamId, after, limit, ct);
        Read += page.Count;
        return page;
    }

    /// <summary>How many events something reads.</summary>
    public async Task<long> CountAsync(Func<Task> work)
    {
        var before = Read;
        await work();
        return Read - before;
    }

    public Task<ILogWriter> OpenWriterAsync(IReadOnlyList<InlineWrite> writes, CancellationToken ct) => log.OpenWriterAsync(writes, ct);

    public Task<IReadOnlyList<StoredEvent>> ReadLogAsync(long after, int limit, CancellationToken ct) => log.ReadLogAsync(after, limit, ct);

    public Task<IReadOnlyList<StoredEvent>> FindAsync(IReadOnlyList<(string StreamId, Guid Id)> ids, CancellationToken ct) =>
        log.FindAsync(ids, ct);

    public Task<int> MigrateAsync(CancellationToken ct) => log.MigrateAsync(ct);

    public Task<string?> CheckSchemaAsync(CancellationToken ct) => log.CheckSchemaAsync(ct);
}
