using System.Text.RegularExpressions;
using Ledger.Api.Tests.Docs;

namespace Ledger.Api.Tests.Gateway.Providers;

/// <summary>The page of metrics and the meter of providers say the same.</summary>
public sealed partial class UpstreamMetricsTests
{
    [Fact]
    public async Task The_page_of_metrics_lists_exactly_what_there_is()
    {
        await using var routing = Routing.With(serveMissingBySandbox: true);
        Row()
            .Matches(Repository.Read("docs/reference/metrics.md"))
            .Select(row => $"{row.Groups["name"].Value} {row.Groups["kind"].Value} {row.Groups["unit"].Value}")
            .ShouldBe(
                routing.Instruments.Select(instrument =>
                    $"{instrument.Name} {Kind(instrument.GetType().Name.Split('`')[0])} {instrument.Unit}"
                )
            );
        routing.Instruments.ShouldAllBe(instrument => !string.IsNullOrWhiteSpace(instrument.Description));
        routing.Instruments.ShouldAllBe(instrument => instrument.Meter.Name == "Ledger.Gateway");
    }

    private static string Kind(string type) =>
        type switch
        {
            "Counter" => "counter",
            "Histogram" => "histogram",
            _ => "gauge",
        };

    [GeneratedRegex(
        @"^\| `(?<name>ledger\.gateway\.upstream\.[a-z_.]+)` \| (?<kind>[a-z]+) \| `(?<unit>[^`]+)` \|",
        RegexOptions.Multiline
    )]
    private static partial Regex Row();
}
