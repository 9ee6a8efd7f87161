using System.Collections.Immutable;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ledger.Domain;
using Ledger.Domain.Journal;
using Ledger.Projections.Rebuild;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Journal;

/// <summary>One line of totals that are kept: between which accounts of the books, in which unit, how much.</summary>
internal sealed record KeptMove(string Debit, string Credit, string Unit, string Parts, string Worth);

/// <summary>Their form.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ImmutableArray<KeptMove>))]
internal sealed partial class KeptMoveJson : JsonSerializerContext;

/// <summary>Keeps an account's totals every some thousand versions, beside its state checkpoints, and finds them.</summary>
internal sealed class JournalTotals(NpgsqlDataSource database)
{
    /// <summary>The format of the totals and the rules they were booked by; those of another format are as good as none.</summary>
    private const short Format = 1;

    private static readonly KeptMoveJson Json = new(
        new JsonSerializerOptions(KeptMoveJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
    );

    // Compared with the log by their hash, as checkpoints are: those of another history are as good as none.
    private const string IsOfLog = """
        exists (
          select
          from mt_events m
          where m.stream_id = 'account-' || t.account_id
            and m.version = t.version
            and m.headers ->> 'hash' = encode(t.last_hash, 'base64')
        )
        """;

    /// <summary>The latest totals of an account at or before a version; null where there are none. Compared with the log by their hash, as checkpoints are.</summary>
    public async Task<(long Version, Totals Totals)?> FindAsync(AccountId id, long version, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            $"""
            select
              t.version,
              t.moves::text
            from journal_totals t
            where t.account_id = $1
              and t.version <= $2
              and t.format = $3
              and {IsOfLog}
            order by t.version desc
            limit 1
            """
        );
        command.Parameters.Add(new() { Value = id.Value });
        command.Parameters.Add(new() { Value = version });
        command.Parameters.Add(new() { Value = Format });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? (row.GetInt64(0), Read(row.GetString(1))) : null;
    }

    /// <summary>All that a statement may begin at, by stream, the first version last.</summary>
    /// <param name="unlawful">Takes the rows that cannot be read, by table and key.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyDictionary<string, Stack<(long Version, Totals Totals)>>> ListAsync(
        ICollection<string> unlawful,
        CancellationToken ct
    )
    {
        await using var command = database.CreateCommand(
            $"""
            select
              t.account_id,
              t.version,
              t.moves::text
            from journal_totals t
            where t.format = $1
              and {IsOfLog}
            order by t.account_id, t.version desc
            """
        );
        command.CommandTimeout = 0;
        command.Parameters.Add(new() { Value = Format });
        var kept = new Dictionary<string, Stack<(long, Totals)>>(StringComparer.Ordinal);
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
        {
            Totals moved;
            try
            {
                moved = Read(rows.GetString(2));
            }
            catch (Exception e) when (UnreadableStream.IsMeantBy(e))
            {
                unlawful.Add(Name(rows.GetString(0), rows.GetInt64(1)));
                continue;
            }

            var stream = new AccountId(rows.GetString(0)).StreamId;
            if (!kept.TryGetValue(stream, out var totals))
                kept.Add(stream, totals = []);
            totals.Push((rows.GetInt64(1), moved));
        }

        return kept;
    }

    /// <summary>Keeps totals where that is possible: whoever only reads must not fail for it, such as on a standby.</summary>
    public async Task TrySaveAsync(AccountId id, long version, ReadOnlyMemory<byte> hash, Totals totals, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            insert into journal_totals (account_id, version, format, last_hash, moves)
            values ($1, $2, $3, $4, $5)
            on conflict (account_id, version) do update
            set
              format = excluded.format,
              last_hash = excluded.last_hash,
              moves = excluded.moves
            """
        );
        command.Parameters.Add(new() { Value = id.Value });
        command.Parameters.Add(new() { Value = version });
        command.Parameters.Add(new() { Value = Format });
        command.Parameters.Add(new() { Value = hash.ToArray() });
        command.Parameters.Add(new() { Value = Write(totals), NpgsqlDbType = NpgsqlDbType.Jsonb });
        try
        {
            await command.ExecuteNonQueryAsync(ct);
        }
        catch (PostgresException)
        {
            // Read-only, not permitted, or out of space: the sums are right all the same, and the next one tries again.
        }
    }

    private static string Write(Totals totals) =>
        JsonSerializer.Serialize(
            [
                .. totals.Moves.Select(pair => new KeptMove(
                    pair.Key.Debit.ToString(),
                    pair.Key.Credit.ToString(),
                    Wire.Of(pair.Key.Unit),
                    pair.Value.Parts.ToString(CultureInfo.InvariantCulture),
                    pair.Value.Worth.ToString()
                )),
            ],
            Json.ImmutableArrayKeptMove
        );

    /// <summary>Totals as a column holds them.</summary>
    public static Totals Read(string text) =>
        JsonSerializer
            .Deserialize(text, Json.ImmutableArrayKeptMove)
            .Aggregate(
                Totals.None,
                (totals, move) => totals.Plus(MoveOf(move.Debit, move.Credit, move.Unit), SumOf(move.Parts, move.Worth))
            );

    /// <summary>A row's name.</summary>
    public static string Name(string account, long version) =>
        string.Create(CultureInfo.InvariantCulture, $"journal_totals {account} {version}");

    /// <summary>From the texts of whole numbers.</summary>
    public static Sum SumOf(string parts, string worth) =>
        new(Int128.Parse(parts, CultureInfo.InvariantCulture), new(Int128.Parse(worth, CultureInfo.InvariantCulture)));

    /// <summary>From the texts that tables hold.</summary>
    public static Move MoveOf(string debit, string credit, string unit) =>
        LedgerAccount.TryParse(debit, out var from) && LedgerAccount.TryParse(credit, out var to)
            ? new(from, to, Wire.Read<Domain.Money.Unit>(unit))
            : throw new InvalidDataException($"The books have no account {debit} or {credit}.");
}
