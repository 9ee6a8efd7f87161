using System.Text.Json;
using Ledger.Domain.Payments;

namespace Ledger.Api.Payments.Stripe;

/// <summary>What Stripe calls a payment intent, as far as it concerns an order.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Status">How far it has come.</param>
/// <param name="Reason">Why it was not paid.</param>
/// <param name="Notice">What was paid.</param>
internal sealed record StripePayment(string Id, string Status, string Reason, PaymentNotice Notice)
{
    /// <summary>Whether it was paid.</summary>
    public bool IsPaid => Status == "succeeded";

    /// <summary>Whether it is not known yet whether it will be.</summary>
    public bool IsUnderWay => Status is "processing" or "requires_capture";

    /// <summary>Reads one.</summary>
    /// <exception cref="PaymentProviderException">It is none.</exception>
    public static StripePayment Of(JsonElement intent)
    {
        if (
            intent.Get("id").AsText is not { } id
            || intent.Get("status").AsText is not { } status
            || (intent.Get("amount_received").AsWhole ?? intent.Get("amount").AsWhole) is not { } amount
            || intent.Get("created").AsTime is not { } created
        )
            throw new PaymentProviderException("Stripe answered with a payment that says too little.", isFinal: false);
        var reason = status switch
        {
            "requires_action" or "requires_confirmation" => StripeProvider.AuthenticationRequired,
            "requires_payment_method" => StripeProvider.ReasonOf(intent.Get("last_payment_error")),
            _ => status,
        };
        var currency = StripeMoney.CurrencyOf(intent);
        return new(
            id,
            status,
            reason,
            new(
                PaymentOptions.StripeName,
                id,
                id,
                StripeMoney.Of(amount, currency),
                currency,
                intent.Get("customer").AsId,
                Subscription: null,
                created
            )
        );
    }
}
