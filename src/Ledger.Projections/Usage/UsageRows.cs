using Ledger.Domain;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Rebuild;
using Npgsql;
using NpgsqlTypes;

namespace Ledger.Projections.Usage;

/// <summary>What one event adds to usage.</summary>
/// <param name="Key">Who asked.</param>
/// <param name="Tool">For what.</param>
/// <param name="Model">Which provider/model served; empty for tools.</param>
/// <param name="Requests">One for a charge, none for a reversal.</param>
/// <param name="Units">How much was done.</param>
/// <param name="Tokens">The tokens of a call.</param>
/// <param name="QuotaTokens">Those of them that a quota paid.</param>
/// <param name="Charged">What was charged.</param>
/// <param name="Reversed">What was given back.</param>
/// <param name="IsPack">Whether packs paid.</param>
public readonly record struct UsageDelta(
    KeyId Key,
    string Tool,
    string Model,
    int Requests,
    Quantity Units,
    TokenUse Tokens,
    long QuotaTokens,
    Amount Charged,
    Amount Reversed,
    bool IsPack
)
{
    /// <summary>What a fact adds; null where it adds nothing.</summary>
    public static UsageDelta? Of(in Fact fact) =>
        fact.Event switch
        {
            CreditsSpent e => Charge(e.Key, e.Tool, e.Units, e.Charged, e.Entry, null),
            HoldSettled e => Charge(e.Key, e.Tool, e.Units, e.Charged, e.Entry, e.Call),
            HoldSettledLate e => Charge(e.Key, e.Tool, e.Units, e.Charged, e.Entry, e.Call),
            SpendReversed e => new(
                e.Key,
                e.Tool,
                e.Model ?? "",
                0,
                default,
                default,
                -(e.Quota?.Tokens ?? 0),
                Amount.Zero(e.Amount.Unit),
                e.Amount,
                IsOfPack(e.Entry)
            ),
            _ => null,
        };

    private static UsageDelta Charge(KeyId key, string tool, Quantity units, Amount charged, string entry, CallRecord? call) =>
        new(
            key,
            tool,
            call is null ? "" : call.Provider + "/" + call.Model,
            1,
            units,
            call?.Tokens ?? default,
            call?.Quota?.Tokens ?? 0,
            charged,
            Amount.Zero(charged.Unit),
            IsOfPack(entry)
        );

    private static bool IsOfPack(string? entry) => entry?.StartsWith("packs/", StringComparison.Ordinal) == true;
}

/// <summary>Adds up usage per UTC hour, account, key, tool and model.</summary>
public sealed class UsageRows : InlineWrite
{
    private readonly Dictionary<(KeyId Key, DateTimeOffset Hour, string Tool, string Model), UsageSums> _sums = [];
    private readonly InlineColumn<int> _n;
    private readonly InlineColumn<string> _accountId;
    private readonly InlineColumn<DateTimeOffset> _hour;
    private readonly InlineColumn<string> _keyId;
    private readonly InlineColumn<string> _tool;
    private readonly InlineColumn<string> _model;
    private readonly InlineColumn<decimal> _units;
    private readonly InlineColumn<long>[] _figures;

    /// <summary>For one writer.</summary>
    public UsageRows()
    {
        _n = Column<int>("n", NpgsqlDbType.Integer);
        _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
        _hour = Column<DateTimeOffset>("hour", NpgsqlDbType.TimestampTz);
        _keyId = Column<string>("key_id", NpgsqlDbType.Varchar);
        _tool = Column<string>("tool", NpgsqlDbType.Varchar);
        _model = Column<string>("model", NpgsqlDbType.Varchar);
        _units = Column<decimal>("units_nanos", NpgsqlDbType.Numeric);
        _figures = [.. UsageSums.Names.Select(name => Column<long>(name, NpgsqlDbType.Bigint))];
    }

    /// <inheritdoc/>
    public override string Sql { get; } =
        $$"""
            usage_added as (
              insert into usage_hourly as t (
                account_id, hour, key_id, tool, model, units_nanos, {{List(name => name)}}
              )
              select
                u.account_id, u.hour, u.key_id, u.tool, u.model, u.units_nanos, {{List(name => "u." + name)}}
              from unnest(
                :n, :account_id, :hour, :key_id, :tool, :model, :units_nanos, {{List(name => ":" + name)}}
              ) as u (n, account_id, hour, key_id, tool, model, units_nanos, {{List(name => name)}})
              where :won(u.n)
              on conflict (account_id, hour, key_id, tool, model) do update
              set
                units_nanos = t.units_nanos + excluded.units_nanos,
                {{List(name => $"{name} = t.{name} + excluded.{name}")}}
            )
            """;

    /// <inheritdoc/>
    public override void Clear()
    {
        base.Clear();
        _sums.Clear();
    }

    /// <summary>Adds one account's facts of a batch, summed up first: a statement may touch each row only once.</summary>
    public void Add(int n, string accountId, IReadOnlyList<Fact> facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        foreach (var fact in facts)
        {
            if (UsageDelta.Of(fact) is not { } delta)
                continue;
            var key = (delta.Key, HourOf(fact.At), delta.Tool, delta.Model);
            _sums.TryGetValue(key, out var sums);
            _sums[key] = sums.Plus(delta);
        }

        Span<long> figures = stackalloc long[UsageSums.Names.Length];
        foreach (var ((key, hour, tool, model), sums) in _sums)
        {
            _n.Add(n);
            _accountId.Add(accountId);
            _hour.Add(hour);
            _keyId.Add(key.Value);
            _tool.Add(tool);
            _model.Add(model);
            _units.Add((decimal)sums.Units);
            sums.Figures(figures);
            for (var i = 0; i < figures.Length; i++)
                _figures[i].Add(figures[i]);
        }

        _sums.Clear();
    }

    /// <summary>Writes whole rows into a table that has none of the same keys.</summary>
    internal static async Task CopyAsync(NpgsqlConnection connection, IReadOnlyList<UsageRow> usage, CancellationToken ct)
    {
        await using var rows = await connection.BeginBinaryImportAsync(
            $"copy usage_hourly (account_id, hour, key_id, tool, model, units_nanos, {List(name => name)}) from stdin (format binary)",
            ct
        );
        var figures = new long[UsageSums.Names.Length];
        foreach (var row in usage)
        {
            await rows.StartRowAsync(ct);
            await rows.WriteAsync(row.Account.Value, NpgsqlDbType.Varchar, ct);
            await rows.WriteAsync(row.Hour, NpgsqlDbType.TimestampTz, ct);
            await rows.WriteAsync(row.Key.Value, NpgsqlDbType.Varchar, ct);
            await rows.WriteAsync(row.Tool, NpgsqlDbType.Varchar, ct);
            await rows.WriteAsync(row.Model, NpgsqlDbType.Varchar, ct);
            await rows.WriteAsync((decimal)row.Sums.Units, NpgsqlDbType.Numeric, ct);
            row.Sums.Figures(figures);
            foreach (var figure in figures)
                await rows.WriteAsync(figure, NpgsqlDbType.Bigint, ct);
        }

        await rows.CompleteAsync(ct);
    }

    private static string List(Func<string, string> write) => string.Join(", ", UsageSums.Names.Select(write));

    internal static DateTimeOffset HourOf(DateTimeOffset at) => new(at.UtcTicks - (at.UtcTicks % TimeSpan.TicksPerHour), TimeSpan.Zero);
}
