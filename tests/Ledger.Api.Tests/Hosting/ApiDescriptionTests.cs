using System.Text.Json;
using Ledger.Testing;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Hosting;

/// <summary><c>/openapi/v1.json</c>: the routes as they are.</summary>
public sealed class ApiDescriptionTests(SharedApp shared) : IClassFixture<SharedApp>
{
    /// <summary>Where one comes to get a token.</summary>
    private static readonly string[] OpenToAll =
    [
        "post /api/v1/auth/register",
        "post /api/v1/auth/token",
        "post /api/v1/auth/otp/request",
        "post /api/v1/auth/otp/verify",
        "post /api/v1/auth/session",
        "get /pricing",
        "get /pricing/tokens",
        "get /v1/checkpoints",
        "get /v1/checkpoints/{number}",
        "get /v1/checkpoints/keys",
    ];

    /// <summary>Members whose spelling the packs document gives.</summary>
    private static readonly string[] AsDocumented = ["internalCreditsRemaining", "remainingTokensEst"];

    private readonly LedgerApp _app = shared.App;

    private async Task<JsonElement> DescriptionAsync() => (await _app.GetAsync("/openapi/v1.json")).ShouldBe(200).Json;

    [Fact]
    public async Task Every_mapped_route_is_described_and_nothing_else()
    {
        var mapped = _app
            .Services.GetRequiredService<EndpointDataSource>()
            .Endpoints.OfType<RouteEndpoint>()
            .Where(route =>
                route.Metadata.GetMetadata<IHttpMethodMetadata>() is not null
                && route.Metadata.GetMetadata<IExcludeFromDescriptionMetadata>() is null
                && !route.RoutePattern.RawText!.StartsWith("/openapi", StringComparison.Ordinal)
            )
            .SelectMany(
                route => route.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods,
                (route, method) => $"{method} {route.RoutePattern.RawText!.Replace("{**", "{", StringComparison.Ordinal).TrimEnd('/')}"
            );
        var described = (await DescriptionAsync())
            .GetProperty("paths")
            .EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject(), (path, operation) => $"{operation.Name.ToUpperInvariant()} {path.Name}");
        described.ShouldBe(mapped, ignoreOrder: true);
        mapped.ShouldNotContain(route => route.Contains("/sandbox/", StringComparison.Ordinal));
        mapped.Count().ShouldBeGreaterThan(20);
    }

    [Fact]
    public async Task What_is_asked_for_has_no_body_and_what_is_there_is_answered()
    {
        foreach (var path in (await DescriptionAsync()).GetProperty("paths").EnumerateObject())
        {
            if (!path.Value.TryGetProperty("get", out var operation))
                continue;
            operation.TryGetProperty("requestBody", out _).ShouldBeFalse(path.Name);
            if (
                operation.GetProperty("responses").TryGetProperty("200", out var answer)
                && !path.Name.StartsWith("/health", StringComparison.Ordinal)
            )
                answer.TryGetProperty("content", out _).ShouldBeTrue(path.Name);
        }
    }

    [Fact]
    public async Task Refusals_are_described_as_the_protocol_of_the_route_has_them()
    {
        var paths = (await DescriptionAsync()).GetProperty("paths");
        Refusal("/v1/chat/completions", "402").ShouldEndWith("/OpenAiErrorResponse");
        foreach (var path in (string[])["/v1/messages", "/claudecode/v1/messages", "/v1/messages/count_tokens"])
        {
            foreach (var status in (string[])["400", "402", "529"])
                Refusal(path, status).ShouldEndWith("/AnthropicErrorResponse");
        }

        string Refusal(string path, string status) =>
            paths
                .GetProperty(path)
                .GetProperty("post")
                .GetProperty("responses")
                .GetProperty(status)
                .GetProperty("content")
                .GetProperty("application/json")
                .GetProperty("schema")
                .GetProperty("$ref")
                .GetString()!;
    }

    [Fact]
    public async Task Every_reference_leads_somewhere()
    {
        var description = await DescriptionAsync();
        var references = Members(description).Where(member => member.Name == "$ref").Select(member => member.Value.GetString()!).ToList();
        references.ShouldNotBeEmpty();
        foreach (var reference in references)
        {
            reference.ShouldStartWith("#/");
            var at = description;
            foreach (var name in reference[2..].Split('/'))
                at.TryGetProperty(name, out at).ShouldBeTrue(reference);
        }
    }

    [Fact]
    public async Task Every_operation_says_what_it_does_whose_token_opens_it_and_how_it_refuses()
    {
        var description = await DescriptionAsync();
        description.GetProperty("openapi").GetString().ShouldStartWith("3.");
        description.GetProperty("info").GetProperty("title").GetString().ShouldBe("Ledger");
        var schemes = description.GetProperty("components").GetProperty("securitySchemes");
        foreach (var path in description.GetProperty("paths").EnumerateObject())
        {
            foreach (var operation in path.Value.EnumerateObject())
            {
                var what = operation.Name + " " + path.Name;
                operation.Value.GetProperty("summary").GetString().ShouldNotBeNullOrWhiteSpace(what);
                if (path.Name.StartsWith("/health", StringComparison.Ordinal))
                    continue;
                if (OpenToAll.Contains(what))
                {
                    operation.Value.TryGetProperty("security", out _).ShouldBeFalse(what);
                    continue;
                }

                var scheme = operation.Value.GetProperty("security")[0].EnumerateObject().Single().Name;
                scheme.ShouldBe(path.Name.StartsWith("/admin", StringComparison.Ordinal) ? "operator_key" : "api_key", what);
                schemes.GetProperty(scheme).GetProperty("scheme").GetString().ShouldBe("bearer");

                var responses = operation.Value.GetProperty("responses");
                responses.EnumerateObject().ShouldContain(response => response.Name.StartsWith('2'), what);
                foreach (var refusal in responses.EnumerateObject().Where(response => response.Name[0] is '4' or '5'))
                    refusal
                        .Value.GetProperty("content")
                        .GetProperty("application/json")
                        .GetProperty("schema")
                        .TryGetProperty("$ref", out _)
                        .ShouldBeTrue($"{what} {refusal.Name}");
                responses.TryGetProperty("401", out _).ShouldBeTrue(what);

                var placeholders = path.Name.Split('{').Skip(1).Select(part => part[..part.IndexOf('}', StringComparison.Ordinal)]);
                var declared = operation.Value.TryGetProperty("parameters", out var parameters)
                    ? parameters
                        .EnumerateArray()
                        .Where(parameter => parameter.GetProperty("in").GetString() == "path")
                        .Select(parameter => parameter.GetProperty("name").GetString()!)
                    : [];
                declared.ShouldBe(placeholders, ignoreOrder: true, what);
            }
        }
    }

    [Fact]
    public async Task Members_are_named_as_on_the_wire()
    {
        var schemas = (await DescriptionAsync()).GetProperty("components").GetProperty("schemas");
        foreach (var schema in schemas.EnumerateObject().Where(schema => schema.Value.TryGetProperty("properties", out _)))
        {
            foreach (
                var member in schema.Value.GetProperty("properties").EnumerateObject().Where(member => !AsDocumented.Contains(member.Name))
            )
                member.Name.ShouldMatch("^[a-z][a-z0-9_]*$", schema.Name);
        }

        schemas
            .GetProperty("KeyView")
            .GetProperty("properties")
            .EnumerateObject()
            .Select(member => member.Name)
            .ShouldBe([
                "key",
                "id",
                "name",
                "environment",
                "kind",
                "billing",
                "limit",
                "limit_usd",
                "limit_reset",
                "limit_remaining",
                "allowed_models",
                "rate_limit",
                "expires_at",
                "disabled",
                "created_at",
                "last_used_at",
                "last_four",
                "usage",
            ]);
    }

    private static IEnumerable<JsonProperty> Members(JsonElement element) =>
        element.ValueKind switch
        {
            JsonValueKind.Object => element.EnumerateObject().SelectMany(member => Members(member.Value).Prepend(member)),
            JsonValueKind.Array => element.EnumerateArray().SelectMany(Members),
            _ => [],
        };
}
