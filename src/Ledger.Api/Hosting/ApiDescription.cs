using System.Text.Json;
using Microsoft.OpenApi;

namespace Ledger.Api.Hosting;

/// <summary>What <c>/openapi/v1.json</c> says beyond the routes themselves: the title, whose token opens which of them, and what parameters mean.</summary>
internal static class ApiDescription
{
    private const string ApiKey = "api_key";
    private const string OperatorsKey = "operator_key";

    /// <summary>Where one comes to get a token.</summary>
    private static readonly HashSet<string> Open =
    [
        "POST /api/v1/auth/register",
        "POST /api/v1/auth/token",
        "POST /api/v1/auth/otp/request",
        "POST /api/v1/auth/otp/verify",
        "POST /api/v1/auth/session",
        "GET /pricing",
        "GET /pricing/tokens",
        "GET /v1/checkpoints",
        "GET /v1/checkpoints/{number}",
        "GET /v1/checkpoints/keys",
    ];

    /// <summary>Describes the API, with members' names as they are on the wire.</summary>
    public static void AddApiDescription(this IServiceCollection services)
    {
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower);
        services.AddOpenApi(options =>
        {
            options.AddDocumentTransformer(
                static (document, _, _) =>
                {
                    document.Info = new()
                    {
                        Title = "Ledger",
                        Version = "v1",
                        Description = "A credit ledger: what work costs, charged exactly once.",
                    };

                    // The address that it was asked for at means nothing to whoever keeps the description.
                    document.Servers = [];
                    document.Components ??= new();
                    document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
                    {
                        [ApiKey] = Bearer("An API key of the account, or an access token."),
                        [OperatorsKey] = Bearer("The operator's key: Ledger__AdminKey, or the one in the data folder."),
                    };
                    foreach (var (path, item) in document.Paths)
                    {
                        var scheme =
                            path.StartsWith("/admin/", StringComparison.Ordinal) ? OperatorsKey
                            : path.StartsWith("/health/", StringComparison.Ordinal) ? null
                            : ApiKey;
                        foreach (var (method, operation) in item.Operations ?? [])
                        {
                            if (scheme is not null && !Open.Contains($"{method} {path}"))
                                operation.Security = [new() { [new(scheme, document)] = [] }];
                            foreach (var parameter in operation.Parameters?.OfType<OpenApiParameter>() ?? [])
                                parameter.Description ??= ApiParameters.Of(parameter.In, parameter.Name!, path);
                        }
                    }

                    return Task.CompletedTask;
                }
            );
        });
    }

    private static OpenApiSecurityScheme Bearer(string description) =>
        new()
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            Description = description,
        };
}
