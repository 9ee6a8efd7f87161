using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ledger.Domain;
using Ledger.Domain.Metering;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using NpgsqlTypes;

namespace Ledger.Projections.Balances;

/// <summary>Writes the rows of the holds that a batch placed, and deletes those that it ended.</summary>
public sealed class HoldRows
{
    private readonly Placed _placed = new();
    private readonly Extended _extended = new();
    private readonly Ended _ended = new();

    /// <summary>The parts of the statement.</summary>
    public IReadOnlyList<InlineWrite> Parts => [_placed, _extended, _ended];

    /// <summary>Adds what a batch did to one account's holds.</summary>
    public void Add(int n, string accountId, Wallet before, Wallet after, IReadOnlyList<Fact> facts)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        ArgumentNullException.ThrowIfNull(facts);
        if (ReferenceEquals(before.Holds, after.Holds))
            return;
        foreach (var fact in facts)
        {
            switch (fact.Event)
            {
                // Placed and ended within one batch leaves no row at all.
                case HoldPlaced when after.Holds.TryGetValue(new(fact.Id), out var placed):
                    _placed.Add(n, accountId, placed);
                    break;
                case HoldExtended e when before.Holds.ContainsKey(e.Hold) && after.Holds.TryGetValue(e.Hold, out var extended):
                    _extended.Add(n, accountId, extended);
                    break;
                case HoldSettled e:
                    End(n, accountId, before, e.Hold);
                    break;
                case HoldReleased e:
                    End(n, accountId, before, e.Hold);
                    break;
                case HoldExpired e:
                    End(n, accountId, before, e.Hold);
                    break;
                default:
                    break;
            }
        }
    }

    /// <summary>Adds every open hold of an account that has no rows yet.</summary>
    public void AddWhole(int n, string accountId, Wallet wallet)
    {
        ArgumentNullException.ThrowIfNull(wallet);
        foreach (var hold in wallet.Holds.Values)
            _placed.Add(n, accountId, hold);
    }

    /// <summary>The shares of a hold as its two columns hold them.</summary>
    internal static ImmutableArray<PocketShare> Shares(int[] pockets, long[] parts) =>
        [.. pockets.Zip(parts, static (pocket, share) => new PocketShare(new(pocket), share))];

    /// <summary>The terms of a call as its column holds them.</summary>
    internal static CallTerms ReadCall(string text) =>
        JsonSerializer.Deserialize(text, HoldJson.Default.CallTerms) ?? throw new InvalidDataException("A call's hold without terms.");

    private void End(int n, string accountId, Wallet before, HoldId hold)
    {
        if (before.Holds.ContainsKey(hold))
            _ended.Add(n, accountId, hold);
    }

    private sealed class Placed : InlineWrite
    {
        private readonly InlineColumn<int> _n;
        private readonly InlineColumn<string> _accountId;
        private readonly InlineColumn<Guid> _holdId;
        private readonly InlineColumn<string> _keyId;
        private readonly InlineColumn<string> _tool;
        private readonly InlineColumn<long> _units;
        private readonly InlineColumn<string> _unit;
        private readonly InlineColumn<long> _amount;
        private readonly InlineColumn<long> _price;
        private readonly InlineColumn<long> _card;
        private readonly InlineColumn<string> _entry;
        private readonly InlineColumn<string> _reference;
        private readonly InlineColumn<string> _allocated;
        private readonly InlineColumn<DateTimeOffset> _placedAt;
        private readonly InlineColumn<DateTimeOffset> _expiresAt;
        private readonly InlineColumn<string?> _call;

        public Placed()
        {
            _n = Column<int>("n", NpgsqlDbType.Integer);
            _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
            _holdId = Column<Guid>("hold_id", NpgsqlDbType.Uuid);
            _keyId = Column<string>("key_id", NpgsqlDbType.Varchar);
            _tool = Column<string>("tool", NpgsqlDbType.Varchar);
            _units = Column<long>("units_nanos", NpgsqlDbType.Bigint);
            _unit = Column<string>("unit", NpgsqlDbType.Varchar);
            _amount = Column<long>("amount", NpgsqlDbType.Bigint);
            _price = Column<long>("price_nanos", NpgsqlDbType.Bigint);
            _card = Column<long>("card", NpgsqlDbType.Bigint);
            _entry = Column<string>("entry", NpgsqlDbType.Varchar);
            _reference = Column<string>("reference", NpgsqlDbType.Varchar);
            _allocated = Column<string>("allocated", NpgsqlDbType.Varchar);
            _placedAt = Column<DateTimeOffset>("placed_at", NpgsqlDbType.TimestampTz);
            _expiresAt = Column<DateTimeOffset>("expires_at", NpgsqlDbType.TimestampTz);
            _call = Column<string?>("call", NpgsqlDbType.Varchar);
        }

        /// <inheritdoc/>
        /// <remarks>Arrays of arrays must be rectangular, so a hold's shares travel as text: <c>pocket:parts,…</c></remarks>
        public override string Sql =>
            """
                holds_placed as (
                  insert into holds (
                    account_id, hold_id, key_id, tool, units_nanos, unit, amount, price_nanos, card, entry, reference, pockets, parts, placed_at, expires_at,
                    call
                  )
                  select
                    h.account_id, h.hold_id, h.key_id, h.tool, h.units_nanos, h.unit, h.amount, h.price_nanos, h.card, h.entry, h.reference,
                    array(select split_part(s, ':', 1)::int from string_to_table(nullif(h.allocated, ''), ',') with ordinality as t (s, place) order by t.place),
                    array(select split_part(s, ':', 2)::bigint from string_to_table(nullif(h.allocated, ''), ',') with ordinality as t (s, place) order by t.place),
                    h.placed_at,
                    h.expires_at,
                    h.call
                  from unnest(
                    :n, :account_id, :hold_id, :key_id, :tool, :units_nanos, :unit, :amount, :price_nanos, :card, :entry, :reference, :allocated,
                    :placed_at, :expires_at, :call
                  ) as h (
                    n, account_id, hold_id, key_id, tool, units_nanos, unit, amount, price_nanos, card, entry, reference, allocated, placed_at, expires_at,
                    call
                  )
                  where :won(h.n)
                )
                """;

        public void Add(int n, string accountId, Hold hold)
        {
            _n.Add(n);
            _accountId.Add(accountId);
            _holdId.Add(hold.Id.Value);
            _keyId.Add(hold.Key.Value);
            _tool.Add(hold.Tool);
            _units.Add(hold.Units.Nanos);
            _unit.Add(Wire.Of(hold.Amount.Unit));
            _amount.Add(hold.Amount.Parts);
            _price.Add(hold.Price.Nanos);
            _card.Add(hold.Card);
            _entry.Add(hold.Entry);
            _reference.Add(hold.Reference);
            _allocated.Add(string.Join(',', hold.Allocated.Select(share => $"{share.Pocket}:{share.Parts}")));
            _placedAt.Add(hold.PlacedAt);
            _expiresAt.Add(hold.ExpiresAt);
            _call.Add(hold.Call is { } call ? JsonSerializer.Serialize(call, HoldJson.Default.CallTerms) : null);
        }
    }

    private sealed class Extended : InlineWrite
    {
        private readonly Dictionary<Guid, int> _rows = [];
        private readonly InlineColumn<int> _n;
        private readonly InlineColumn<string> _accountId;
        private readonly InlineColumn<Guid> _holdId;
        private readonly InlineColumn<DateTimeOffset> _expiresAt;

        public Extended()
        {
            _n = Column<int>("n", NpgsqlDbType.Integer);
            _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
            _holdId = Column<Guid>("hold_id", NpgsqlDbType.Uuid);
            _expiresAt = Column<DateTimeOffset>("expires_at", NpgsqlDbType.TimestampTz);
        }

        public override string Sql =>
            """
                holds_extended as (
                  update holds t
                  set expires_at = e.expires_at
                  from unnest(:n, :account_id, :hold_id, :expires_at) as e (n, account_id, hold_id, expires_at)
                  where :won(e.n)
                    and t.account_id = any (array[e.account_id])
                    and t.hold_id = e.hold_id
                )
                """;

        public override void Clear()
        {
            base.Clear();
            _rows.Clear();
        }

        /// <summary>A statement may touch each row only once; extended twice in one batch, the hold says the last of both.</summary>
        public void Add(int n, string accountId, Hold hold)
        {
            if (!_rows.TryAdd(hold.Id.Value, n))
                return;
            _n.Add(n);
            _accountId.Add(accountId);
            _holdId.Add(hold.Id.Value);
            _expiresAt.Add(hold.ExpiresAt);
        }
    }

    private sealed class Ended : InlineWrite
    {
        private readonly InlineColumn<int> _n;
        private readonly InlineColumn<string> _accountId;
        private readonly InlineColumn<Guid> _holdId;

        public Ended()
        {
            _n = Column<int>("n", NpgsqlDbType.Integer);
            _accountId = Column<string>("account_id", NpgsqlDbType.Varchar);
            _holdId = Column<Guid>("hold_id", NpgsqlDbType.Uuid);
        }

        public override string Sql =>
            """
                holds_ended as (
                  delete from holds t
                  using unnest(:n, :account_id, :hold_id) as e (n, account_id, hold_id)
                  where :won(e.n)
                    and t.account_id = any (array[e.account_id])
                    and t.hold_id = e.hold_id
                )
                """;

        public void Add(int n, string accountId, HoldId hold)
        {
            _n.Add(n);
            _accountId.Add(accountId);
            _holdId.Add(hold.Value);
        }
    }
}

/// <summary>The JSON form of what a call's hold is for. A member may come, with a default; none may change its meaning.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(CallTerms))]
internal sealed partial class HoldJson : JsonSerializerContext;
