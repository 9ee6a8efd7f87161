using System.Globalization;
using System.Text;
using System.Text.Json;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Bench;

/// <summary>
/// Makes a long log fast: decided by the domain and chained as the ledger does it, but written by <c>COPY</c> without indexes and without read models. What comes of it is
/// a log like any other, and a rebuild makes its read models.
/// </summary>
internal sealed class LogForge : IAsyncDisposable
{
    private const string Columns =
        "seq_id, id, stream_id, version, data, type, timestamp, mt_dotnet_type, correlation_id, headers, tenant_id, is_archived";

    private readonly NpgsqlDataSource _database;
    private readonly Dictionary<AccountId, (Account Account, byte[] Hash)> _states = [];
    private readonly RateCard _card;
    private NpgsqlConnection? _connection;
    private NpgsqlBinaryImporter? _events;
    private long _position;

    private LogForge(NpgsqlDataSource database, RateCard card, long position) => (_database, _card, _position) = (database, card, position);

    /// <summary>How many events were made.</summary>
    public long Count { get; private set; }

    /// <summary>The secrets of the keys with which accounts are looked at.</summary>
    public Dictionary<AccountId, string> Owners { get; } = [];

    /// <summary>Takes the indexes off the log, and begins behind its end.</summary>
    public static async Task<LogForge> OpenAsync(string connectionString, CancellationToken ct)
    {
        var database = NpgsqlDataSource.Create(connectionString);
        var book = RateBook.Empty;
        foreach (var stored in await new NpgsqlEventLog(database, []).ReadStreamAsync(RateBook.StreamId, 0, 1000, ct))
            book = RateBook.Evolve(book, (RateCardEvent)LedgerEvents.Types.Read(stored), stored.At);
        await RunAsync(
            database,
            """
            alter table mt_events drop constraint pkey_mt_events_seq_id;
            drop index pk_mt_events_stream_and_version;
            drop index ux_mt_events_stream_and_id
            """,
            ct
        );
        await using var last = database.CreateCommand("select coalesce(max(m.seq_id), 0) from mt_events m");
        return new(database, book.Cards[^1], (long)(await last.ExecuteScalarAsync(ct))!);
    }

    /// <summary>Accounts with funds and a limited key, opened at a time.</summary>
    public async Task<IReadOnlyList<BenchAccount>> OpenAccountsAsync(int count, DateTimeOffset at, CancellationToken ct)
    {
        var accounts = new List<BenchAccount>(count);
        for (var n = 0; n < count; n++)
        {
            var (id, key, secret) = (Identifiers.NewAccount(), Identifiers.NewKey(), KeySecret.Create("lk"));
            _states.Add(id, (Account.Empty(id), HashChain.Start.ToArray()));
            await DoAsync(new OpenAccount(id, null), at, ct);
            await DoAsync(
                new GrantCredits(id, Amount.Credits(1_000_000_000), PocketSource.Payg, null, null, "bench", "funds", null),
                at,
                ct
            );
            await DoAsync(
                new CreateKey(
                    id,
                    key,
                    "bench",
                    KeyKind.Inference,
                    KeyBilling.PayPerToken,
                    null,
                    secret.Hash.ToString(),
                    "lk",
                    secret.LastFour,
                    Amount.Credits(900_000_000),
                    null,
                    LimitReset.Monthly,
                    [],
                    null,
                    null
                ),
                at,
                ct
            );
            // Who may look at the account needs a key of another kind.
            var owner = KeySecret.Create("lk");
            await DoAsync(
                new CreateKey(
                    id,
                    Identifiers.NewKey(),
                    "owner",
                    KeyKind.Provisioning,
                    KeyBilling.PayPerToken,
                    null,
                    owner.Hash.ToString(),
                    "lk",
                    owner.LastFour,
                    null,
                    null,
                    LimitReset.None,
                    [],
                    null,
                    null
                ),
                at,
                ct
            );
            Owners.Add(id, owner.Text);
            accounts.Add(new(id, key, secret.Text));
        }

        return accounts;
    }

    /// <summary>Spends, of one account after the other in no order, spread over a time.</summary>
    public async Task SpendAsync(
        IReadOnlyList<BenchAccount> accounts,
        long events,
        DateTimeOffset from,
        DateTimeOffset to,
        CancellationToken ct
    )
    {
        var random = new Random(1);
        string[] tools =
        [
            .. _card.Tools.Where(tool => tool.Id.StartsWith("tools/", StringComparison.Ordinal)).Select(tool => tool.Id[6..]).Take(4),
        ];
        var step = (to - from).Ticks / Math.Max(events, 1);
        for (var n = 0L; n < events; n++)
        {
            var ticks = from.Ticks + (n * step);
            var account = accounts[random.Next(accounts.Count)];
            await DoAsync(
                new Spend(
                    account.Account,
                    account.Key,
                    tools[random.Next(tools.Length)],
                    Quantity.Of(1),
                    string.Create(CultureInfo.InvariantCulture, $"req-{n:0000000000}-{random.Next():x8}")
                ),
                new(ticks - (ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero),
                ct
            );
        }
    }

    /// <summary>Decides one command and writes what it comes to.</summary>
    public async Task DoAsync(AccountCommand command, DateTimeOffset at, CancellationToken ct)
    {
        var (account, hash) = _states[command.Account];
        var outcome = account.Transact(command, new(at > account.LastAt ? at : account.LastAt, _card, Past.None));
        foreach (var fact in outcome.Facts)
        {
            var type = LedgerEvents.Types.Of(fact.Event);
            var data = JsonSerializer.SerializeToUtf8Bytes(fact.Event, type.Json);
            var own = HashChain.Hash(account.Id.StreamId, fact.Version, fact.Id, type.Name, fact.At, "bench", data, hash);
            await WriteAsync(account.Id.StreamId, fact, type, data, EventHeaders.Of("bench", null).Write(own, hash), ct);
            hash = own;
        }

        if (outcome.Facts.IsEmpty)
            throw new InvalidOperationException($"{command.GetType().Name} came to nothing: {outcome.Decision}");
        _states[command.Account] = (outcome.After, hash);
    }

    /// <summary>Ends the log: its streams, its sequence, its indexes.</summary>
    public async Task EndAsync(CancellationToken ct)
    {
        if (_events is not null)
        {
            await _events.CompleteAsync(ct);
            await _events.DisposeAsync();
            _events = null;
        }

        await using (var connection = await _database.OpenConnectionAsync(ct))
        {
            await using var streams = await connection.BeginBinaryImportAsync(
                "copy mt_streams (id, type, version, timestamp, created, tenant_id, is_archived) from stdin (format binary)",
                ct
            );
            foreach (var (id, (account, _)) in _states)
            {
                await streams.StartRowAsync(ct);
                await streams.WriteAsync(id.StreamId, NpgsqlDbType.Varchar, ct);
                await streams.WriteAsync(Account.StreamType, NpgsqlDbType.Varchar, ct);
                await streams.WriteAsync(account.Version, NpgsqlDbType.Bigint, ct);
                await streams.WriteAsync(account.LastAt, NpgsqlDbType.TimestampTz, ct);
                await streams.WriteAsync(account.OpenedAt, NpgsqlDbType.TimestampTz, ct);
                await streams.WriteAsync("*DEFAULT*", NpgsqlDbType.Varchar, ct);
                await streams.WriteAsync(false, NpgsqlDbType.Boolean, ct);
            }

            await streams.CompleteAsync(ct);
        }

        await RunAsync(
            _database,
            """
            set maintenance_work_mem = '512MB';
            select setval('mt_events_sequence', (select max(seq_id) from mt_events));
            alter table mt_events add constraint pkey_mt_events_seq_id primary key (seq_id);
            create unique index pk_mt_events_stream_and_version on mt_events (stream_id, version);
            create unique index ux_mt_events_stream_and_id on mt_events (stream_id, id);
            analyze mt_events, mt_streams
            """,
            ct
        );
        await RunAsync(_database, "vacuum mt_events, mt_streams", ct);
    }

    public async ValueTask DisposeAsync()
    {
        if (_events is not null)
            await _events.DisposeAsync();
        if (_connection is not null)
            await _connection.DisposeAsync();
        await _database.DisposeAsync();
    }

    private async Task WriteAsync(string stream, Fact fact, EventType type, byte[] data, string headers, CancellationToken ct)
    {
        _connection ??= await _database.OpenConnectionAsync(ct);
        _events ??= await _connection.BeginBinaryImportAsync($"copy mt_events ({Columns}) from stdin (format binary)", ct);
        _position++;
        Count++;
        await _events.StartRowAsync(ct);
        await _events.WriteAsync(_position, NpgsqlDbType.Bigint, ct);
        await _events.WriteAsync(fact.Id, NpgsqlDbType.Uuid, ct);
        await _events.WriteAsync(stream, NpgsqlDbType.Varchar, ct);
        await _events.WriteAsync(fact.Version, NpgsqlDbType.Bigint, ct);
        await _events.WriteAsync(Encoding.UTF8.GetString(data), NpgsqlDbType.Jsonb, ct);
        await _events.WriteAsync(type.Name, NpgsqlDbType.Varchar, ct);
        await _events.WriteAsync(fact.At, NpgsqlDbType.TimestampTz, ct);
        await _events.WriteAsync(type.DotnetType, NpgsqlDbType.Varchar, ct);
        await _events.WriteAsync("request-" + _position.ToString("x", CultureInfo.InvariantCulture), NpgsqlDbType.Varchar, ct);
        await _events.WriteAsync(headers, NpgsqlDbType.Jsonb, ct);
        await _events.WriteAsync("*DEFAULT*", NpgsqlDbType.Varchar, ct);
        await _events.WriteAsync(false, NpgsqlDbType.Boolean, ct);
    }

    private static async Task RunAsync(NpgsqlDataSource database, string sql, CancellationToken ct)
    {
        await using var command = database.CreateCommand(sql);
        command.CommandTimeout = 0;
        await command.ExecuteNonQueryAsync(ct);
    }
}
