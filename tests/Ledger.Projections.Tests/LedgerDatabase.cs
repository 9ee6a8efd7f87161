using System.Text.Json;
using Ledger.Domain;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.EventStore;
using Ledger.Projections.Accounts;
using Ledger.Projections.Pricing;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Projections.Tests;

/// <summary>A database with an empty ledger, and short ways to write to it.</summary>
internal sealed class LedgerDatabase : IAsyncDisposable
{
    public static readonly DateTimeOffset Start = new(2021, 1, 2, 12, 0, 0, TimeSpan.Zero);

    private LedgerDatabase(string connectionString)
    {
        ConnectionString = connectionString;
        Database = NpgsqlDataSource.Create(connectionString);
        Log = new(Database, ReadModelMigrations.All);
        Snapshots = new(Database, Log);
    }

    public string ConnectionString { get; }

    public NpgsqlDataSource Database { get; }

    public NpgsqlEventLog Log { get; }

    public AccountSnapshots Snapshots { get; }

    /// <summary>A card with a tool at 1 credit, one at half a credit, one for free, two models, a pack and two levels.</summary>
    public static RateCard Card { get; } = new(1, Start, Document(Quantity.Of(1)));

    public static async Task<LedgerDatabase> CreateAsync()
    {
        return new(await new PostgresFixture().CreateDatabaseAsync("ledger", MigrateAsync));

        static async Task MigrateAsync(string connectionString)
        {
            await using var database = NpgsqlDataSource.Create(connectionString);
            await new NpgsqlEventLog(database, ReadModelMigrations.All).MigrateAsync(default);
        }
    }

    public static RateCardDocument Document(Quantity price) =>
        new(
            [new("chat", "turn", price), new("search", "query", Quantity.Parse("0.5"))],
            [new("ping", "call", Quantity.Of(0))],
            [
                new("openai", "gpt", "gpt", TokenRates(1_000, 3_000), 200, 500, ["openai/mini"]),
                new("openai", "mini", "mini", TokenRates(500, 1_000), 100, 300, []),
            ],
            new Dictionary<string, string> { ["auto"] = "openai/gpt" },
            [new("pack", "openai", "gpt", Quantity.Of(40), new(Quantity.Of(20_000), Quantity.Of(50_000)), Quantity.Of(9), 30)],
            [new("small", Quantity.Of(10), Quantity.Of(20), 1_000), new("large", Quantity.Of(30), Quantity.Of(60), 5_000)],
            new(Quantity.Of(3), 5, 100, "usd"),
            new(5, 100),
            new(Quantity.Of(0), Quantity.Of(0))
        );

    private static TokenPrices TokenRates(long input, long output) =>
        new(Quantity.Of(input), Quantity.Of(output), Quantity.Of(input / 10), Quantity.Of(input), Quantity.Of(input * 2));

    /// <summary>Publishes the next version of the rate card.</summary>
    public async Task PublishAsync(Quantity price)
    {
        var prices = new CardWrites();
        await using var writer = await Log.OpenWriterAsync(prices.All, default);
        var (book, hash) = (RateBook.Empty, HashChain.Start);
        foreach (var stored in await Log.ReadStreamAsync(RateBook.StreamId, 0, 1000, default))
        {
            book = RateBook.Evolve(book, (RateCardEvent)LedgerEvents.Types.Read(stored), stored.At);
            hash = HashChain.FromHeaders(stored.Headers, "hash")!;
        }

        var @event = new RateCardPublished(Start, JsonSerializer.Serialize(Document(price), RateCardJson.Default.RateCardDocument));
        var append = new StreamAppend(RateBook.StreamId, RateBook.StreamType, book.Version, hash);
        append.Add(
            new(EventIds.Derive(default, "card", $"{book.Version}"), LedgerEvents.Types.Of(@event), @event, Start, "operator", null, null)
        );
        prices.Add(1, RateBook.Evolve(book, @event, Start).Cards[^1]);
        var trip = new Trip();
        trip.Streams.Add(append);
        (await writer.SendAsync(trip, default)).Won.ShouldBe([true]);
    }

    public async Task<History> OpenHistoryAsync(int seed, int accounts, string prefix = "a")
    {
        var writes = new AccountWrites();
        return new(
            await Log.OpenWriterAsync(writes.All, default),
            writes,
            seed,
            [.. Enumerable.Range(0, accounts).Select(n => new AccountId($"{prefix}{n:000}"))]
        );
    }

    public async Task<AccountSnapshot> LoadAsync(AccountId id) => (await Snapshots.LoadAsync([id], default))[id];

    public Task<T> QueryAsync<T>(string sql) => Database.QueryAsync<T>(sql);

    public Task<IReadOnlyList<string>> LinesAsync(string sql) => Database.LinesAsync(sql);

    public Task ExecuteAsync(string sql) => Database.ExecuteAsync(sql);

    /// <summary>Every row of every read model.</summary>
    public async Task<string> DumpAsync()
    {
        var lines = new List<string>();
        foreach (var table in (string[])["accounts", "pockets", "holds", "billing", "orders", "keys", "usage_hourly", "prices"])
            lines.AddRange(await LinesAsync($"select '{table} ' || to_jsonb(t)::text from {table} t order by 1"));
        return string.Join('\n', lines);
    }

    public ValueTask DisposeAsync() => Database.DisposeAsync();
}
