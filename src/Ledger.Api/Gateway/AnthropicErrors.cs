using System.Text.Json.Serialization;
using Ledger.Api.Access;
using Ledger.Api.Http;
using Ledger.Domain;

namespace Ledger.Api.Gateway;

/// <summary>One refusal as Anthropic's clients read it.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Type">The stable string.</param>
/// <param name="Message">One sentence for people.</param>
/// <param name="Shortfall">Which limit refused, where one did.</param>
internal readonly record struct AnthropicError(int Status, string Type, string Message, Shortfall? Shortfall = null)
{
    /// <summary>The same refusal in the words of the OpenAI routes, where both mean the same.</summary>
    public static AnthropicError Of(OpenAiError error) =>
        new(error.Status, AnthropicErrors.TypeOf(error.Status), error.Message, error.Shortfall);
}

/// <summary>The errors of the routes that speak Anthropic's protocol: <c>{"type":"error","error":{"type","message"},"request_id"}</c>.</summary>
internal static class AnthropicErrors
{
    private static readonly AnthropicError AuthRequired = new(
        401,
        "authentication_error",
        "A valid API key is required: x-api-key: <key>, or Authorization: Bearer <key>."
    );

    /// <summary>For everything under a prefix that no handler answered.</summary>
    public static FaultShape ShapeOf(string prefix) =>
        new(prefix, static (context, fault) => SendAsync(context, new(fault.Status, TypeOf(fault.Status), fault.Message)));

    /// <summary>The kind of error that a status is, where nothing else says so.</summary>
    public static string TypeOf(int status) =>
        status switch
        {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            529 => "overloaded_error",
            >= 500 => "api_error",
            _ => "invalid_request_error",
        };

    /// <summary>Why somebody was not let in.</summary>
    public static AnthropicError Of(Denial denial) =>
        denial == Denial.AuthRequired ? AuthRequired : AnthropicError.Of(OpenAiErrors.Of(denial));

    /// <summary>The one mapping of every rejection to this dialect: where it has no word of its own, what the OpenAI routes say under its own type.</summary>
    public static AnthropicError Of(RejectionCode code) =>
        code switch
        {
            RejectionCode.AccountNotFound or RejectionCode.KeyNotUsable or RejectionCode.SignInEnded => AuthRequired,
            RejectionCode.UnknownModel => new(404, "not_found_error", OpenAiErrors.UnknownModel.Message),
            _ => AnthropicError.Of(OpenAiErrors.Of(code)),
        };

    /// <summary>Answers with an error.</summary>
    public static Task SendAsync(HttpContext context, AnthropicError error)
    {
        context.Response.Headers["request-id"] = context.TraceIdentifier;
        if (error.Status == 401)
            context.Response.Headers.WWWAuthenticate = "Bearer";

        // Only what may succeed later, unchanged, is worth a repeat by itself.
        if (error.Status is not (402 or 429 or >= 500))
            context.Response.Headers["x-should-retry"] = "false";
        return JsonAnswer.SendAsync(
            context,
            error.Status,
            (error, context.TraceIdentifier),
            static (json, state) =>
            {
                json.WriteStartObject();
                json.WriteString("type", "error");
                json.WriteStartObject("error");
                json.WriteString("type", state.error.Type);
                json.WriteString("message", state.error.Message);
                CallErrors.WriteLimit(json, state.error.Shortfall);
                json.WriteEndObject();
                json.WriteString("request_id", state.TraceIdentifier);
                json.WriteEndObject();
            }
        );
    }
}

/// <summary>A refusal.</summary>
/// <param name="Type">Always <c>error</c>.</param>
/// <param name="Error">What is the matter.</param>
/// <param name="RequestId">This server's name for the request.</param>
public sealed record AnthropicErrorResponse(
    string Type,
    AnthropicErrorBody Error,
    [property: JsonPropertyName("request_id")] string RequestId
);

/// <summary>What is the matter.</summary>
/// <param name="Type">A stable string, and the kind of error.</param>
/// <param name="Message">One sentence for people.</param>
public sealed record AnthropicErrorBody(string Type, string Message);
