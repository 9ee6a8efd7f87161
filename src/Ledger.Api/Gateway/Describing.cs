using Ledger.Api.Gateway.Protocols;

namespace Ledger.Api.Gateway;

/// <summary>What <c>/openapi/v1.json</c> says of the gateway's routes.</summary>
internal static class Describing
{
    /// <summary>Describes a route with a body.</summary>
    public static RouteHandlerBuilder Describe<TRequest, TResponse>(
        this RouteHandlerBuilder route,
        string summary,
        int status,
        params int[] refusals
    )
        where TRequest : notnull =>
        route.Accepts<TRequest>("application/json").Describe<TResponse>(summary, status, [400, 413, 415, .. refusals]);

    /// <summary>Describes an inference route: its bodies are those of the protocol, of which only what is read here is named.</summary>
    public static RouteHandlerBuilder DescribeCall(this RouteHandlerBuilder route, Protocol protocol, string summary)
    {
        route
            .WithSummary(summary)
            .Accepts<InferenceRequest>("application/json")
            .Produces<object>(200, "application/json", "text/event-stream");
        foreach (var refusal in (int[])[400, 401, 402, 403, 404, 409, 413, 429, 502, 503])
            route.ProducesRefusal(protocol, refusal);

        // Of Anthropic's protocol alone.
        return protocol == Protocol.Anthropic ? route.ProducesRefusal(protocol, 529) : route;
    }

    private static RouteHandlerBuilder ProducesRefusal(this RouteHandlerBuilder route, Protocol protocol, int status) =>
        protocol == Protocol.Anthropic
            ? route.Produces<AnthropicErrorResponse>(status, "application/json")
            : route.Produces<OpenAiErrorResponse>(status, "application/json");

    /// <summary>Describes a route without one.</summary>
    public static RouteHandlerBuilder Describe<TResponse>(this RouteHandlerBuilder route, string summary, int status, params int[] refusals)
    {
        route.WithSummary(summary).Produces<TResponse>(status, "application/json");
        foreach (var refusal in (int[])[401, 403, .. refusals, 429, 503])
            route.Produces<OpenAiErrorResponse>(refusal, "application/json");
        return route;
    }
}

/// <summary>A request for an answer, as far as it is read here; every other member of the protocol travels on to the provider as it came.</summary>
/// <param name="Model">The model, or a logical name for one.</param>
/// <param name="Messages">The conversation, in the form of the route's protocol.</param>
/// <param name="MaxTokens">The most tokens of the answer.</param>
/// <param name="Stream">Whether the answer comes as server-sent events.</param>
/// <param name="Provider">On the OpenAI route: the provider whose pack pays.</param>
public sealed record InferenceRequest(string Model, IReadOnlyList<object> Messages, long? MaxTokens, bool? Stream, string? Provider);
