using System.Text.Json.Serialization;

namespace Ledger.Domain.Metering;

/// <summary>Tokens that a call used, by class. The classes are disjoint: no token is counted in two of them.</summary>
/// <param name="Input">Fresh input: neither read from a cache nor written to one.</param>
/// <param name="CacheRead">Input read from a cache.</param>
/// <param name="CacheWrite">Input written to a cache for five minutes.</param>
/// <param name="CacheWrite1h">Input written to a cache for an hour.</param>
/// <param name="Output">Output, reasoning included.</param>
public readonly record struct TokenUse(long Input, long CacheRead, long CacheWrite, long CacheWrite1h, long Output)
{
    /// <summary>The most that is counted of a class: beyond it a provider's report is not a report but a fault.</summary>
    public const long Max = 100_000_000;

    /// <summary>Whether no class counts less than nothing or more than <see cref="Max"/>.</summary>
    [JsonIgnore]
    public bool IsInRange =>
        Input is >= 0 and <= Max
        && CacheRead is >= 0 and <= Max
        && CacheWrite is >= 0 and <= Max
        && CacheWrite1h is >= 0 and <= Max
        && Output is >= 0 and <= Max;

    /// <summary>Everything that went in, cached or not.</summary>
    [JsonIgnore]
    public long AllInput => Input + CacheRead + CacheWrite + CacheWrite1h;

    /// <summary>Everything: what a quota counts.</summary>
    [JsonIgnore]
    public long Total => AllInput + Output;
}

/// <summary>How a call ended, as far as it was charged.</summary>
public enum CallOutcome
{
    /// <summary>The model came to its end.</summary>
    Completed,

    /// <summary>It was stopped by the most tokens that it might answer with.</summary>
    Length,

    /// <summary>It was stopped by a content filter, or refused.</summary>
    ContentFilter,

    /// <summary>The caller went away; the provider was read on to its end.</summary>
    CallerGone,

    /// <summary>The caller went away, and the provider did not come to its end within bounds.</summary>
    CallerGoneCut,

    /// <summary>The provider failed in the middle.</summary>
    UpstreamCut,
}
