using System.Text.Json;
using Ledger.Api.Access;
using Ledger.Api.Gateway.Protocols;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Money;

namespace Ledger.Api.Gateway;

/// <summary>What the inference routes refuse, and how, in the protocol of the route.</summary>
internal static class CallErrors
{
    private const string NeverFits =
        "This call never fits: its input and max_tokens are more than the subscription's whole quota of 24 hours. Ask for less.";

    private static readonly TimeSpan MaxWait = TimeSpan.FromMinutes(1);

    /// <summary>Who is not let in.</summary>
    public static Task SendAsync(HttpContext context, Protocol protocol, Denial denial) =>
        protocol == Protocol.Anthropic
            ? AnthropicErrors.SendAsync(context, AnthropicErrors.Of(denial))
            : OpenAiErrors.SendAsync(context, OpenAiErrors.Of(denial));

    /// <summary>What the ledger refuses, with the limit that did.</summary>
    public static Task SendAsync(HttpContext context, Protocol protocol, RejectionCode code, Shortfall? shortfall = null)
    {
        if (protocol == Protocol.Anthropic)
        {
            var told = AnthropicErrors.Of(code) with { Shortfall = shortfall };
            return AnthropicErrors.SendAsync(context, shortfall is { NeverFits: true } ? told with { Message = NeverFits } : told);
        }

        var error = OpenAiErrors.Of(code) with { Shortfall = shortfall };
        return OpenAiErrors.SendAsync(context, shortfall is { NeverFits: true } ? error with { Message = NeverFits } : error);
    }

    /// <summary>Bad input.</summary>
    public static Task SendAsync(HttpContext context, Protocol protocol, CallFault fault) =>
        SendAsync(context, protocol, new OpenAiError(400, "invalid_request_error", fault.Message, fault.Param));

    /// <summary>Anything else: Anthropic's routes give the same with their own type.</summary>
    public static Task SendAsync(HttpContext context, Protocol protocol, OpenAiError error) =>
        protocol == Protocol.Anthropic
            ? AnthropicErrors.SendAsync(context, AnthropicError.Of(error))
            : OpenAiErrors.SendAsync(context, error);

    /// <summary>Too many requests of a key.</summary>
    public static Task SendTooManyAsync(HttpContext context, Protocol protocol, TimeSpan retryAfter)
    {
        SetRetryAfter(context, retryAfter);
        return SendAsync(
            context,
            protocol,
            new OpenAiError(429, "rate_limit_exceeded", "Too many requests of this key; slow down and come back.")
        );
    }

    /// <summary>
    /// Says when to come back. Clients wait by themselves for as long as they are told, some of them for days and without a word; where that is longer than
    /// <see cref="MaxWait"/>, people are told instead.
    /// </summary>
    public static void SetRetryAfter(HttpContext context, TimeSpan after)
    {
        ApiErrors.SetRetryAfter(context, after);
        if (after > MaxWait)
            context.Response.Headers["x-should-retry"] = "false";
    }

    /// <summary>Why an entry is closed.</summary>
    public static Task SendAsync(HttpContext context, Protocol protocol, in Entry entry) =>
        entry.RetryAfter is { } after ? SendTooManyAsync(context, protocol, after)
        : entry.Refusal is { } code ? SendAsync(context, protocol, code)
        : SendAsync(context, protocol, entry.Denial);

    /// <summary>Which limit refused, what was needed and what was there, as members of the error.</summary>
    public static void WriteLimit(Utf8JsonWriter json, Shortfall? shortfall)
    {
        if (shortfall is null)
            return;
        json.WriteString("limit_source", shortfall.Source);
        if (shortfall.Source != "quota")
        {
            json.WriteString("needed", shortfall.Needed.ToDecimalString());
            json.WriteString("available", shortfall.Available.ToDecimalString());
            json.WriteString("unit", shortfall.Needed.Unit.Name());
        }

        if (shortfall.Affordable is { } tokens)
            json.WriteNumber("affordable_max_tokens", tokens);
    }
}
