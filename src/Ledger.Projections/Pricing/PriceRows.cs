using Ledger.Domain.RateCards;
using Ledger.EventStore;
using NpgsqlTypes;

namespace Ledger.Projections.Pricing;

/// <summary>Writes the prices of a rate card that was published.</summary>
public sealed class PriceRows : InlineWrite
{
    private readonly InlineColumn<int> _n;
    private readonly InlineColumn<long> _card;
    private readonly InlineColumn<string> _entry;
    private readonly InlineColumn<string> _tool;
    private readonly InlineColumn<int> _place;
    private readonly InlineColumn<string> _per;
    private readonly InlineColumn<long> _credits;
    private readonly InlineColumn<DateTimeOffset> _effectiveAt;

    /// <summary>For one writer.</summary>
    public PriceRows()
    {
        _n = Column<int>("n", NpgsqlDbType.Integer);
        _card = Column<long>("card", NpgsqlDbType.Bigint);
        _entry = Column<string>("entry", NpgsqlDbType.Varchar);
        _tool = Column<string>("tool", NpgsqlDbType.Varchar);
        _place = Column<int>("place", NpgsqlDbType.Integer);
        _per = Column<string>("per", NpgsqlDbType.Varchar);
        _credits = Column<long>("credits_nanos", NpgsqlDbType.Bigint);
        _effectiveAt = Column<DateTimeOffset>("effective_at", NpgsqlDbType.TimestampTz);
    }

    /// <inheritdoc/>
    public override string Sql =>
        """
            prices_published as (
              insert into prices (card, entry, tool, place, per, credits_nanos, effective_at)
              select p.card, p.entry, p.tool, p.place, p.per, p.credits_nanos, p.effective_at
              from unnest(:n, :card, :entry, :tool, :place, :per, :credits_nanos, :effective_at)
                as p (n, card, entry, tool, place, per, credits_nanos, effective_at)
              where :won(p.n)
            )
            """;

    /// <summary>Adds the prices of one card.</summary>
    public void Add(int n, RateCard card)
    {
        ArgumentNullException.ThrowIfNull(card);
        foreach (var (place, tool) in card.Tools.Index())
        {
            _n.Add(n);
            _card.Add(card.Version);
            _entry.Add(tool.Id);
            _tool.Add(tool.Name);
            _place.Add(place);
            _per.Add(tool.Per);
            _credits.Add(tool.Credits.Nanos);
            _effectiveAt.Add(card.EffectiveAt);
        }
    }
}
