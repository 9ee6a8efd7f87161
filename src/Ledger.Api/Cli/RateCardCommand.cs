using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Api.Pricing;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Cli;

/// <summary><c>rate-card show|publish|versions</c>.</summary>
internal static class RateCardCommand
{
    public static Command Make(CliHost host) =>
        new("rate-card", "Shows and publishes rate cards.") { Show(host), Publish(host), Versions(host) };

    private static Command Show(CliHost host)
    {
        var command = new Command("show", "Prints the rate card in force, byte for byte as it was published.");
        command.SetAction(
            (_, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        var (book, now) = await ReadAsync(services, ct);
                        if (book.InForce(now) is not { } card)
                            throw new CliException("No rate card is in force. Start the server once, or publish one.");
                        await host.Console.Error.WriteLineAsync(
                            string.Create(
                                CultureInfo.InvariantCulture,
                                $"Version {card.Version}, in force since {WireTime.Format(card.EffectiveAt)}"
                            )
                        );
                        await host.Console.Output.WriteLineAsync(card.Source);
                    },
                    ct
                )
        );
        return command;
    }

    private static Command Publish(CliHost host)
    {
        var file = new Argument<string>("file") { Description = "The rate card, as JSON." };
        var effectiveAt = new Option<string?>("--effective-at")
        {
            Description = "From when it prices, such as 2027-01-01T00:00:00Z; at once where it is left out.",
        };
        effectiveAt.Validators.Add(given =>
        {
            if (given.Tokens is [var token] && !WireTime.TryParse(token.Value, out _))
                given.AddError($"'{token.Value}' is not a time such as 2027-01-01T00:00:00Z.");
        });
        var command = new Command("publish", "Checks a rate card and publishes it; servers that run charge by it from the next request on.")
        {
            file,
            effectiveAt,
        };
        command.SetAction(
            (parsed, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        var document = await RateCardFile.ReadAsync(Path.GetFullPath(parsed.GetRequiredValue(file)), ct);
                        DateTimeOffset? from = parsed.GetValue(effectiveAt) is { } text && WireTime.TryParse(text, out var at) ? at : null;
                        await RefuseUnlessItKeepsAsync(services, document, ct);
                        var published = await services
                            .GetRequiredService<RateCards>()
                            .PublishAsync(new(document, from), new("operator", RequestIds.Next()), ct);
                        if (published.Card is not { } card)
                            throw new CliException(
                                "A rate card cannot take effect in the past, and the first of all not later than at once."
                            );
                        await host.Console.Output.WriteLineAsync(
                            string.Create(
                                CultureInfo.InvariantCulture,
                                $"{(published.IsNew ? "Published" : "Already published, as")} version {card.Version}, in force from {WireTime.Format(card.EffectiveAt)}."
                            )
                        );
                    },
                    ct
                )
        );
        return command;
    }

    /// <summary>A card must keep what has been sold.</summary>
    private static async Task RefuseUnlessItKeepsAsync(IServiceProvider services, string document, CancellationToken ct)
    {
        var (_, now) = await ReadAsync(services, ct);
        var faults = new JsonFaults();
        var card = JsonSerializer.Deserialize(document, RateCardJson.Default.RateCardDocument)!;
        await services.GetRequiredService<CardGuard>().CheckAsync(card, "", now, faults, ct);
        if (!faults.IsEmpty)
            throw new CliException(
                "The rate card leaves out what has been sold; nothing was published.\n"
                    + string.Join('\n', faults.All.Select(fault => $"  {fault.Path} {fault.Message}"))
            );
    }

    private static Command Versions(CliHost host)
    {
        var command = new Command("versions", "Lists every published version, newest first.");
        command.SetAction(
            (_, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        var (book, now) = await ReadAsync(services, ct);
                        var inForce = book.InForce(now);
                        foreach (var card in book.Cards.Reverse())
                        {
                            await host.Console.Output.WriteLineAsync(
                                string.Create(
                                    CultureInfo.InvariantCulture,
                                    $"{card.Version, 6}  {WireTime.Format(card.EffectiveAt)}{(card == inForce ? "  in force" : "")}"
                                )
                            );
                        }
                    },
                    ct
                )
        );
        return command;
    }

    private static async Task<(RateBook Book, DateTimeOffset Now)> ReadAsync(IServiceProvider services, CancellationToken ct)
    {
        var book = await services.GetRequiredService<RateCards>().ReloadAsync(ct);
        return (book, LedgerTime.Later(services.GetRequiredService<TimeProvider>(), book.LastAt));
    }
}
