using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Npgsql;

namespace Ledger.EventStore;

/// <summary>What is wrong with a chain.</summary>
public enum ChainFault
{
    /// <summary>A version is missing, at the end included: the stream's row counts more events than there are.</summary>
    VersionMissing,

    /// <summary>The event does not name the hash of the one before it.</summary>
    PreviousMismatch,

    /// <summary>The event is not what was hashed: its members, id, type, time, actor, stream or version changed, or its hash did.</summary>
    HashMismatch,

    /// <summary>The caller's metadata is not what the digest that was hashed says; metadata that was erased is in order.</summary>
    MetadataMismatch,

    /// <summary>The stream has events and no row of its own.</summary>
    StreamMissing,
}

/// <summary>The first place where a chain does not hold.</summary>
/// <param name="StreamId">The stream.</param>
/// <param name="Version">The version that is missing or does not fit.</param>
/// <param name="Fault">What is wrong with it.</param>
public sealed record ChainBreak(string StreamId, long Version, ChainFault Fault);

/// <summary>What verifying one stream came to.</summary>
/// <param name="Events">How many events are in order.</param>
/// <param name="LastHash">The hash of the last of them; <see cref="HashChain.Start"/> where there is none.</param>
/// <param name="Break">Where the chain breaks; null where it holds.</param>
public sealed record ChainVerdict(long Events, ReadOnlyMemory<byte> LastHash, ChainBreak? Break);

/// <summary>Computes the hash chains anew from what is stored, and reports the first version of each stream that does not fit.</summary>
/// <param name="database">Connections for reading.</param>
public sealed class ChainVerifier(NpgsqlDataSource database)
{
    private const int Page = 1000;

    private readonly LogScan _scan = new(database);
    private readonly NpgsqlEventLog _log = new(database, []) { IsPatient = true };

    /// <summary>Verifies one stream; one that does not exist holds.</summary>
    public async Task<ChainVerdict> VerifyAsync(string streamId, CancellationToken ct)
    {
        // The row first: events that come later are verified too, and none may be missing that it counted.
        await using var command = database.CreateCommand("select coalesce((select s.version from mt_streams s where s.id = $1), 0)");
        command.Parameters.Add(new() { Value = streamId });
        return await VerifyAsync(new StreamHead(streamId, (long)(await command.ExecuteScalarAsync(ct))!), ct);
    }

    /// <summary>Verifies every stream, in the order of ids; those that hold come with their verdict too, so that progress can be shown.</summary>
    public async IAsyncEnumerable<(string StreamId, ChainVerdict Verdict)> VerifyAllAsync([EnumeratorCancellation] CancellationToken ct)
    {
        for (var after = ""; await _scan.ListAsync(null, after, Page, ct) is { Count: > 0 } heads; after = heads[^1].Id)
        {
            foreach (var head in heads)
                yield return (head.Id, await VerifyAsync(head, ct));
        }

        await foreach (var (stream, version) in OrphansAsync(ct))
            yield return (stream, new(0, HashChain.Start, new(stream, version, ChainFault.StreamMissing)));
    }

    /// <summary>Streams that have events and no row of their own, with their first version, in the order of ids; events that name no stream under an empty one.</summary>
    public async IAsyncEnumerable<(string StreamId, long Version)> OrphansAsync([EnumeratorCancellation] CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              coalesce(m.stream_id, ''),
              min(m.version)
            from mt_events m
            where not exists (select from mt_streams s where s.id = m.stream_id)
            group by m.stream_id
            order by m.stream_id
            """
        );
        command.CommandTimeout = 0;
        await using var orphans = await command.ExecuteReaderAsync(ct);
        while (await orphans.ReadAsync(ct))
            yield return (orphans.GetString(0), orphans.GetInt64(1));
    }

    /// <summary>The same for whoever has gone over the log and knows which streams have events and were not found: without going over it again.</summary>
    /// <param name="unlisted">The streams that may have no row.</param>
    /// <param name="passed">The last position that was gone over; what stands behind it, or before the first, is looked at here.</param>
    /// <param name="ct">Gives up.</param>
    public async IAsyncEnumerable<(string StreamId, long Version)> OrphansAsync(
        IReadOnlyCollection<string> unlisted,
        long passed,
        [EnumeratorCancellation] CancellationToken ct
    )
    {
        await using var command = database.CreateCommand(
            """
            select
              m.stream_id,
              min(m.version)
            from (
              select e.stream_id, e.version from mt_events e where e.stream_id = any ($1)
              union all
              select e.stream_id, e.version from mt_events e where e.seq_id > $2
              union all
              select e.stream_id, e.version from mt_events e where e.seq_id <= 0
            ) m
            where m.stream_id is not null
              and m.version > 0
              and not exists (select from mt_streams s where s.id = m.stream_id)
            group by m.stream_id
            order by m.stream_id
            """
        );
        command.CommandTimeout = 0;
        command.Parameters.Add(new() { Value = unlisted.ToArray() });
        command.Parameters.Add(new() { Value = passed });
        await using var orphans = await command.ExecuteReaderAsync(ct);
        while (await orphans.ReadAsync(ct))
            yield return (orphans.GetString(0), orphans.GetInt64(1));
    }

    /// <summary>
    /// Events that no stream's history can have, since they name no stream or have a version below the first, where whoever has gone over the log did not look: behind the last
    /// position or before the first.
    /// </summary>
    /// <param name="passed">The last position that was gone over.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<(long Position, string StreamId, long Version)>> StraysAsync(
        long passed,
        int limit,
        CancellationToken ct
    )
    {
        await using var command = database.CreateCommand(
            """
            select
              m.seq_id,
              coalesce(m.stream_id, ''),
              m.version
            from (
              select e.seq_id, e.stream_id, e.version from mt_events e where e.seq_id > $1
              union all
              select e.seq_id, e.stream_id, e.version from mt_events e where e.seq_id <= 0
            ) m
            where m.version < 1 or m.stream_id is null
            order by m.seq_id
            limit $2
            """
        );
        command.CommandTimeout = 0;
        command.Parameters.Add(new() { Value = passed });
        command.Parameters.Add(new() { Value = limit });
        var strays = new List<(long, string, long)>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            strays.Add((rows.GetInt64(0), rows.GetString(1), rows.GetInt64(2)));
        return strays;
    }

    private async Task<ChainVerdict> VerifyAsync(StreamHead head, CancellationToken ct)
    {
        var (version, hash) = (0L, HashChain.Start);
        while (await _log.ReadStreamAsync(head.Id, version, Page, ct) is { Count: > 0 } page)
        {
            foreach (var stored in page)
            {
                if (FaultOf(stored, version + 1, hash.Span) is { } fault)
                    return new(version, hash, new(head.Id, version + 1, fault));
                version = stored.Version;
                hash = HashChain.FromHeaders(stored.Headers, "hash")!;
            }
        }

        return new(version, hash, version < head.Version ? new(head.Id, version + 1, ChainFault.VersionMissing) : null);
    }

    /// <summary>What is wrong with an event where it stands; null where nothing is.</summary>
    /// <param name="stored">The event.</param>
    /// <param name="expected">The version that comes next in its stream.</param>
    /// <param name="previous">The hash of the event before it.</param>
    public static ChainFault? FaultOf(StoredEvent stored, long expected, ReadOnlySpan<byte> previous)
    {
        ArgumentNullException.ThrowIfNull(stored);
        if (stored.Version != expected)
            return ChainFault.VersionMissing;
        try
        {
            return HashFaultOf(stored, previous);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Headers or members that are JSON, and not of the kind that an event has: another kind of value, or nested too deep to be read.
            return ChainFault.HashMismatch;
        }
    }

    private static ChainFault? HashFaultOf(StoredEvent stored, ReadOnlySpan<byte> previous)
    {
        if (HashChain.FromHeaders(stored.Headers, "prev") is not { } prev || !previous.SequenceEqual(prev))
            return ChainFault.PreviousMismatch;
        if (HashChain.FromHeaders(stored.Headers, "hash") is not { } hash)
            return ChainFault.HashMismatch;
        var who = EventHeaders.Read(stored.Headers);
        var actual = HashChain.Hash(
            stored.StreamId,
            stored.Version,
            stored.Id,
            stored.Type,
            stored.At,
            who.Covered,
            Encoding.UTF8.GetBytes(stored.Data),
            previous
        );
        if (!hash.AsSpan().SequenceEqual(actual))
            return ChainFault.HashMismatch;
        return who.IsGenuine && MetadataHolds(stored.Data) ? null : ChainFault.MetadataMismatch;
    }

    /// <summary>Whether metadata or an address is gone and its digest stands: it was erased, lawfully or not; the chain cannot tell.</summary>
    public static bool IsErased(StoredEvent stored)
    {
        ArgumentNullException.ThrowIfNull(stored);
        if (EventHeaders.Read(stored.Headers) is { Address: null, AddressDigest: not null })
            return true;
        if (!stored.Data.Contains("\"metadataDigest\"", StringComparison.Ordinal))
            return false;
        using var json = JsonDocument.Parse(stored.Data);
        return json.RootElement.TryGetProperty("metadataDigest", out _) && !json.RootElement.TryGetProperty("metadata", out _);
    }

    /// <summary>
    /// Whether metadata, where it is there, is what its digest says: the chain covers it only by its digest, so that it can be erased.
    /// </summary>
    public static bool MetadataHolds(string data)
    {
        ArgumentNullException.ThrowIfNull(data);
        if (!data.Contains("\"metadata\"", StringComparison.Ordinal))
            return true;
        using var json = JsonDocument.Parse(data);
        if (!json.RootElement.TryGetProperty("metadata", out var metadata))
            return true;
        return metadata.ValueKind == JsonValueKind.String
            && json.RootElement.TryGetProperty("metadataDigest", out var digest)
            && digest.ValueEquals(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(metadata.GetString()!))));
    }
}
