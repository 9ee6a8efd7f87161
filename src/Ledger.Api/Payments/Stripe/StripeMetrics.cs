using System.Diagnostics.Metrics;
using Ledger.Api.Application;

namespace Ledger.Api.Payments.Stripe;

/// <summary>What came in from Stripe, on the ledger's own meter.</summary>
internal sealed class StripeMetrics : IDisposable
{
    private readonly Meter _meter;
    private readonly Counter<long> _deliveries;

    /// <summary>Makes the instrument.</summary>
    /// <param name="factory">The host's factory.</param>
    public StripeMetrics(IMeterFactory factory)
    {
        _meter = factory.Create(LedgerMetrics.Name);
        _deliveries = _meter.CreateCounter<long>(
            "ledger.webhooks",
            "{delivery}",
            "Deliveries of the payment provider, by what came of them."
        );
    }

    /// <summary>Counts a delivery.</summary>
    /// <param name="outcome">What came of it: an outcome as it is written down, or why it was not let in.</param>
    public void Delivered(string outcome) => _deliveries.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();
}
