using System.Text.Json;
using Microsoft.OpenApi;

namespace Ledger.Api.Hosting;

/// <summary>What <c>/openapi/v1.json</c> says beyond the routes themselves: the title, and whose token opens which of them.</summary>
internal static class ApiDescription
{
    private const string ApiKey = "api_key";
    private const string OperatorsKey = "operator_key";

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
                        [ApiKey] = Bearer("An API key of the account."),
                        [OperatorsKey] = Bearer("The operator's key: Ledger__AdminKey, or the one in the data folder."),
                    };
                    foreach (var (path, item) in document.Paths)
                    {
                        var scheme =
                            path.StartsWith("/admin/", StringComparison.Ordinal) ? OperatorsKey
                            : path.StartsWith("/health/", StringComparison.Ordinal) ? null
                            : ApiKey;
                        foreach (var operation in item.Operations?.Values ?? Enumerable.Empty<OpenApiOperation>())
                        {
                            if (scheme is not null)
                                operation.Security = [new() { [new(scheme, document)] = [] }];
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
