using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Gateway.Providers;

/// <summary>One entry of a chain: who is asked, for which model.</summary>
/// <param name="Provider">The provider's name on the card.</param>
/// <param name="Model">The card's entry.</param>
public sealed record UpstreamTarget(string Provider, PricedModel Model);

/// <summary>Why nobody of a chain answered.</summary>
public enum UpstreamRefusal
{
    /// <summary>
    /// The provider refuses what the caller asks: another attempt, or another provider, is not the answer to that, unless an entry before it may serve the same later.
    /// </summary>
    ContentRefused,

    /// <summary>The provider refuses our key, or our account there.</summary>
    CredentialsRefused,

    /// <summary>The provider has too much to do: the same may succeed later.</summary>
    Busy,

    /// <summary>The provider failed, could not be reached, or said nothing in time.</summary>
    Failed,

    /// <summary>The card names a provider that is not configured.</summary>
    NotConfigured,
}

/// <summary>What a chain came to.</summary>
public abstract record UpstreamResult
{
    private protected UpstreamResult() { }

    /// <summary>A provider answers: its status is 2xx, and the first byte of its body is here. Whoever gets this disposes the answer.</summary>
    /// <param name="Target">The entry that serves.</param>
    /// <param name="Provider">Who serves.</param>
    /// <param name="Protocol">The protocol of the answer.</param>
    /// <param name="Answer">The answer.</param>
    /// <param name="Attempts">How many requests went out for it, this one included.</param>
    public sealed record Served(UpstreamTarget Target, IProvider Provider, Protocol Protocol, UpstreamAnswer Answer, int Attempts)
        : UpstreamResult;

    /// <summary>Nobody answers. Of several reasons this is the one with which a caller can do most: busy before failed, before a refused key.</summary>
    /// <param name="Kind">Why.</param>
    /// <param name="Status">The provider's status; null where there was no answer, or none was asked for.</param>
    /// <param name="Body">The provider's error, at most 64 KiB of it; empty where there is none.</param>
    /// <param name="RetryAfter">How long to wait before the same may succeed.</param>
    public sealed record Refused(UpstreamRefusal Kind, int? Status, byte[] Body, TimeSpan? RetryAfter) : UpstreamResult
    {
        /// <summary>The protocol in which <see cref="Body"/> is written; null where nobody was asked.</summary>
        public Protocol? Protocol { get; init; }

        /// <summary>How many requests went out.</summary>
        public int Attempts { get; init; }
    }
}
