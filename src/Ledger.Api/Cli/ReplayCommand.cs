using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Api.Pricing;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.RateCards;
using Ledger.Projections.Accounts;
using Ledger.Projections.Pricing;

namespace Ledger.Api.Cli;

/// <summary><c>replay --rate-card --from --to</c>: what another rate card would have charged for what was really done.</summary>
internal static class ReplayCommand
{
    private static readonly DateTimeOffset First = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Last = new(3000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static Command Make(CliHost host)
    {
        var file = new Option<string>("--rate-card") { Description = "The other rate card, as JSON.", Required = true };
        var from = new Option<string>("--from") { Description = "The first day or moment (UTC): 2026-07-01.", Required = true };
        var to = new Option<string>("--to")
        {
            Description = "The first day or moment (UTC) that does not count any more: 2026-08-01.",
            Required = true,
        };
        var account = new Option<string?>("--account") { Description = "One account; all where it is left out." };
        var by = new Option<string>("--by") { Description = "By what lines are summed.", DefaultValueFactory = _ => "all" };
        by.AcceptOnlyFromAmong("all", "account", "model", "day");
        var format = new Option<string>("--format") { Description = "How it is printed.", DefaultValueFactory = _ => "table" };
        format.AcceptOnlyFromAmong("table", "json", "csv");
        foreach (var moment in (Option<string>[])[from, to])
        {
            moment.Validators.Add(given =>
            {
                if (given.Tokens is [var token] && Moment(token.Value) is null)
                    given.AddError(
                        $"'{token.Value}' is not a day such as 2026-07-01 or a time such as 2026-07-01T12:00:00Z, of the years 2000 to 2999."
                    );
            });
        }

        var command = new Command(
            "replay",
            "Re-rates what was really charged by another rate card, and tells the difference. Changes nothing; the server runs on meanwhile."
        )
        {
            file,
            from,
            to,
            account,
            by,
            format,
        };
        command.SetAction(
            (parsed, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        var (first, end) = (Moment(parsed.GetRequiredValue(from))!.Value, Moment(parsed.GetRequiredValue(to))!.Value);
                        if (first >= end)
                            throw new CliException("The range is empty or reversed: --from must be before --to.");
                        var document = await RateCardFile.ReadAsync(Path.GetFullPath(parsed.GetRequiredValue(file)), ct);
                        var card = new RateCard(0, first, JsonSerializer.Deserialize(document, RateCardJson.Default.RateCardDocument)!);
                        var whose = parsed.GetValue(account) is { } named ? await KnownAsync(services, named, ct) : (AccountId?)null;
                        var progress = new CliProgress(host.Console);
                        var grouping = Enum.Parse<WhatIfGrouping>(parsed.GetRequiredValue(by), ignoreCase: true);
                        WhatIfReport report;
                        try
                        {
                            report = await services.GetRequiredService<WhatIf>().RunAsync(card, first, end, whose, grouping, progress, ct);
                        }
                        finally
                        {
                            progress.End();
                        }

                        await host.Console.Output.WriteAsync(
                            parsed.GetRequiredValue(format) switch
                            {
                                "json" => WhatIfText.ToJson(report),
                                "csv" => await WhatIfText.ToCsvAsync(report, ct),
                                _ => WhatIfText.ToTable(report),
                            }
                        );
                    },
                    ct
                )
        );
        return command;
    }

    private static async Task<AccountId> KnownAsync(IServiceProvider services, string named, CancellationToken ct)
    {
        var account = new AccountId(named);
        return
            Identifiers.IsLawful(named)
            && (await services.GetRequiredService<AccountSnapshots>().LoadAsync([account], ct))[account].Account.Status
                != AccountStatus.Missing
            ? account
            : throw new CliException($"There is no account {named}.");
    }

    private static DateTimeOffset? Moment(string text)
    {
        DateTimeOffset? at =
            DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
                ? WireDate.StartOf(day)
            : WireTime.TryParse(text, out var time) ? time
            : null;
        return at >= First && at <= Last ? at : null;
    }
}
