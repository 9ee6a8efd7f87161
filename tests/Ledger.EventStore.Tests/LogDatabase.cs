using System.Text.Json.Serialization;
using Ledger.Testing;
using Npgsql;

namespace Ledger.EventStore.Tests;

/// <summary>A sample event.</summary>
public sealed record Noted(string? Text = null, long? Number = null, string? Metadata = null, string? MetadataDigest = null);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(Noted))]
internal sealed partial class SampleJson : JsonSerializerContext;

/// <summary>A database with an empty log, and short ways to write to it.</summary>
internal sealed class LogDatabase : IAsyncDisposable
{
    public static readonly DateTimeOffset Noon = new(2026, 1, 2, 12, 0, 0, TimeSpan.Zero);

    public static readonly EventTypes Types = new(SampleJson.Default, [typeof(Noted)]);

    private LogDatabase(string connectionString, NpgsqlDataSource database) =>
        (ConnectionString, Database, Log) = (connectionString, database, new(database, []));

    public string ConnectionString { get; }

    public string Name => new NpgsqlConnectionStringBuilder(ConnectionString).Database!;

    public NpgsqlDataSource Database { get; }

    public NpgsqlEventLog Log { get; }

    public static async Task<LogDatabase> CreateAsync()
    {
        var connectionString = await new PostgresFixture().CreateDatabaseAsync("log", MigrateAsync);
        return new(connectionString, NpgsqlDataSource.Create(connectionString));

        static async Task MigrateAsync(string connectionString)
        {
            await using var database = NpgsqlDataSource.Create(connectionString);
            await new NpgsqlEventLog(database, []).MigrateAsync(default);
        }
    }

    /// <summary>One with a cluster of its own, for what would be in the way of others.</summary>
    public static async Task<LogDatabase> CreateAtAsync(string connectionString)
    {
        var log = new LogDatabase(connectionString, NpgsqlDataSource.Create(connectionString));
        await log.Log.MigrateAsync(default);
        return log;
    }

    public static async Task<LogDatabase> CreateEmptyAsync()
    {
        var connectionString = await new PostgresFixture().CreateDatabaseAsync();
        return new(connectionString, NpgsqlDataSource.Create(connectionString));
    }

    /// <summary>An id that is the same in every run.</summary>
    public static Guid Id(int number) => new(number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

    /// <summary>Events of consecutive ids to append to a stream.</summary>
    public static StreamAppend Stream(string id, long expected, ReadOnlyMemory<byte> lastHash, params ReadOnlySpan<int> ids)
    {
        var append = new StreamAppend(id, "account", expected, lastHash);
        foreach (var number in ids)
            append.Add(
                new(
                    Id(number),
                    Types.Of(new Noted()),
                    new Noted("event " + number),
                    Noon.AddSeconds(number),
                    "tester",
                    "request-" + number,
                    null
                )
            );
        return append;
    }

    /// <summary>A new stream.</summary>
    public static StreamAppend Stream(string id, params ReadOnlySpan<int> ids) => Stream(id, 0, HashChain.Start, ids);

    public static Trip Trip(params IEnumerable<StreamAppend> streams)
    {
        var trip = new Trip();
        trip.Streams.AddRange(streams.OrderBy(stream => stream.StreamId, StringComparer.Ordinal));
        return trip;
    }

    public Task<ILogWriter> OpenWriterAsync(params InlineWrite[] writes) => Log.OpenWriterAsync(writes, default);

    public async Task<TripResult> AppendAsync(params StreamAppend[] streams)
    {
        await using var writer = await OpenWriterAsync();
        return await writer.SendAsync(Trip(streams), default);
    }

    public async Task<IReadOnlyList<StoredEvent>> ReadAsync(string streamId) => await Log.ReadStreamAsync(streamId, 0, 1000, default);

    public Task<T> QueryAsync<T>(string sql) => Database.QueryAsync<T>(sql);

    public Task<IReadOnlyList<string>> LinesAsync(string sql) => Database.LinesAsync(sql);

    public Task ExecuteAsync(string sql) => Database.ExecuteAsync(sql);

    /// <summary>Polls until something is so.</summary>
    public Task UntilAsync(string sql) => Eventually.IsSoAsync(() => QueryAsync<bool>(sql), () => sql);

    public ValueTask DisposeAsync() => Database.DisposeAsync();
}
