using System.Globalization;

namespace Ledger.Api.Http;

/// <summary>Times on the wire: UTC, without a fraction where there is none, else with exactly six digits.</summary>
internal static class WireTime
{
    public static string Format(DateTimeOffset at) => at.UtcDateTime.ToString(
        at.UtcTicks % TimeSpan.TicksPerSecond == 0 ? "yyyy-MM-ddTHH:mm:ssZ" : "yyyy-MM-ddTHH:mm:ss.ffffffZ", CultureInfo.InvariantCulture);
}
