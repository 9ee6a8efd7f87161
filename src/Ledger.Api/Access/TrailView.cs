using System.Globalization;
using System.Text.Json.Serialization;
using Ledger.Api.Http;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Projections.Accounts;

namespace Ledger.Api.Access;

/// <summary>A page of an account's access trail.</summary>
/// <param name="Data">Newest first.</param>
/// <param name="Next">The <c>cursor</c> of the next page; null on the last.</param>
public sealed record TrailPage(IReadOnlyList<TrailLine> Data, string? Next);

/// <summary>One entry of the trail.</summary>
/// <param name="Version">The event's place in the account's stream.</param>
/// <param name="At">When it happened.</param>
/// <param name="Event">What happened, such as <c>key_revoked</c>.</param>
/// <param name="KeyId">To which key; null where it was to the account.</param>
/// <param name="Reason">Why, where somebody said.</param>
/// <param name="Actor">Who did it: <c>key:…</c>, <c>account</c> (its holder, signed in), <c>operator</c> or <c>system</c>.</param>
/// <param name="Address">From where; null where that is not known, or was erased.</param>
/// <param name="RequestId">The request that did it, as its <c>x-request-id</c> said.</param>
public sealed record TrailLine(
    long Version,
    DateTimeOffset At,
    string Event,
    string? KeyId,
    string? Reason,
    string? Actor,
    string? Address,
    string? RequestId
);

/// <summary>Writes the trail.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(TrailPage))]
internal sealed partial class TrailJson : JsonSerializerContext;

/// <summary>Between the trail and the wire.</summary>
internal static class TrailView
{
    /// <summary>Before which version a page begins: the <c>next</c> of the one before, or the end.</summary>
    public static long ReadCursor(string? cursor, JsonFaults faults)
    {
        if (cursor is null)
            return long.MaxValue;
        if (long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out var before) && before > 0)
            return before;
        faults.Add("cursor", "must be the next of the page before");
        return 0;
    }

    /// <summary>A page, of one entry more than it has where there is a next one.</summary>
    public static TrailPage PageOf(IReadOnlyList<TrailEntry> entries, int size) =>
        new(
            [.. entries.Take(size).Select(ToLine)],
            entries.Count > size ? entries[size - 1].Stored.Version.ToString(CultureInfo.InvariantCulture) : null
        );

    private static TrailLine ToLine(TrailEntry entry)
    {
        var (key, reason) = entry.Event switch
        {
            KeyCreated e => (e.Key, null),
            KeyChanged e => (e.Key, null),
            KeyRotated e => (e.Key, null),
            KeyRevoked e => (e.Key, e.Reason),
            AccountSuspended e => (default, e.Reason),
            AccountReinstated e => (default, e.Reason),
            SignInsEnded e => (default, e.Reason),
            _ => (default(Domain.KeyId), (string?)null),
        };
        var stored = entry.Stored;
        return new(
            stored.Version,
            stored.At,
            stored.Type,
            key == default ? null : key.Value,
            reason,
            entry.Who.Actor,
            entry.Who.Address,
            stored.CorrelationId
        );
    }
}
