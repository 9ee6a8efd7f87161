using Ledger.Domain.RateCards;
using Ledger.EventStore;
using NpgsqlTypes;

namespace Ledger.Projections.Pricing;

/// <summary>Writes rate cards that were published, whole.</summary>
public sealed class RateCardRows : InlineWrite
{
    private readonly InlineColumn<int> _n;
    private readonly InlineColumn<long> _card;
    private readonly InlineColumn<DateTimeOffset> _effectiveAt;
    private readonly InlineColumn<string> _document;

    /// <summary>For one writer.</summary>
    public RateCardRows()
    {
        _n = Column<int>("n", NpgsqlDbType.Integer);
        _card = Column<long>("card", NpgsqlDbType.Bigint);
        _effectiveAt = Column<DateTimeOffset>("effective_at", NpgsqlDbType.TimestampTz);
        _document = Column<string>("document", NpgsqlDbType.Text);
    }

    /// <inheritdoc/>
    public override string Sql =>
        """
            rate_cards_published as (
              insert into rate_cards (card, effective_at, document)
              select
                c.card,
                c.effective_at,
                c.document::jsonb
              from unnest(:n, :card, :effective_at, :document) as c (n, card, effective_at, document)
              where :won(c.n)
            )
            """;

    /// <summary>Adds one card.</summary>
    public void Add(int n, RateCard card)
    {
        ArgumentNullException.ThrowIfNull(card);
        _n.Add(n);
        _card.Add(card.Version);
        _effectiveAt.Add(card.EffectiveAt);
        _document.Add(card.Source);
    }
}
