using System.Globalization;

namespace Ledger.Api.Payments.Stripe;

/// <summary>The body of a request as Stripe reads it: pairs whose names say where they belong, such as <c>metadata[order]</c>.</summary>
internal sealed class StripeForm
{
    private readonly List<KeyValuePair<string, string>> _pairs = [];

    /// <summary>Adds a pair; nothing where the value is null. An empty one unsets what was there.</summary>
    public StripeForm With(string name, string? value)
    {
        if (value is not null)
            _pairs.Add(new(name, value));
        return this;
    }

    /// <summary>Adds a number.</summary>
    public StripeForm With(string name, long value) => With(name, value.ToString(CultureInfo.InvariantCulture));

    /// <summary>Adds a yes or no.</summary>
    public StripeForm With(string name, bool value) => With(name, value ? "true" : "false");

    /// <summary>As the body of a request; a new one for each attempt.</summary>
    public HttpContent ToContent() => new FormUrlEncodedContent(_pairs);
}
