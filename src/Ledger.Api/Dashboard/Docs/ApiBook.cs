using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Ledger.Api.Dashboard.Docs;

/// <summary>The routes as <c>/openapi/v1.json</c> describes them, read once: they stay as they are while the server runs.</summary>
/// <param name="provider">Makes the description.</param>
public sealed class ApiBook([FromKeyedServices("v1")] IOpenApiDocumentProvider provider)
{
    private IReadOnlyList<ApiOperation>? _operations;

    /// <summary>All of them, in the order of the description.</summary>
    public async Task<IReadOnlyList<ApiOperation>> ReadAsync(CancellationToken ct)
    {
        // Where two ask at once, both read the same.
        if (Volatile.Read(ref _operations) is { } known)
            return known;
        var document = await provider.GetOpenApiDocumentAsync(ct);
        using var json = JsonDocument.Parse(await document.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1, ct));
        var operations = Read(json.RootElement);
        Volatile.Write(ref _operations, operations);
        return operations;
    }

    /// <summary>Reads a description.</summary>
    internal static IReadOnlyList<ApiOperation> Read(JsonElement description)
    {
        var schemas = new ApiSchemas(description);
        return
        [
            .. description
                .GetProperty("paths")
                .EnumerateObject()
                .SelectMany(
                    path => path.Value.EnumerateObject().Where(operation => operation.Value.ValueKind == JsonValueKind.Object),
                    (path, operation) => OperationOf(operation.Name, path.Name, operation.Value, schemas)
                ),
        ];
    }

    private static ApiOperation OperationOf(string method, string path, JsonElement operation, ApiSchemas schemas) =>
        new(
            method.ToUpperInvariant(),
            path,
            operation.TryGetProperty("tags", out var tags) && tags.GetArrayLength() > 0
                ? TagOf(tags[0].GetString()!, path)
                : TagOf("", path),
            Text(operation, "summary") ?? "",
            TokenOf(operation),
            operation.TryGetProperty("parameters", out var parameters)
                ? [.. parameters.EnumerateArray().Select(parameter => ParameterOf(parameter, schemas))]
                : [],
            operation.TryGetProperty("requestBody", out var body) && body.TryGetProperty("content", out var content)
                ? ContentsOf(content, schemas).FirstOrDefault()
                : null,
            operation.TryGetProperty("responses", out var responses)
                ?
                [
                    .. responses
                        .EnumerateObject()
                        .Select(answer => new ApiAnswer(
                            answer.Name,
                            Text(answer.Value, "description") ?? "",
                            answer.Value.TryGetProperty("content", out var came) ? [.. ContentsOf(came, schemas)] : []
                        )),
                ]
                : []
        );

    // What nobody gave a tag is tagged with the program's name.
    private static string TagOf(string tag, string path) =>
        tag.Length > 0 && !tag.StartsWith("Ledger.", StringComparison.Ordinal) ? tag
        : path.Split('/') is [_, { Length: > 0 } first, ..] ? char.ToUpperInvariant(first[0]) + first[1..]
        : "Other";

    private static string? TokenOf(JsonElement operation)
    {
        if (!operation.TryGetProperty("security", out var security) || security.GetArrayLength() == 0)
            return null;
        return security[0].EnumerateObject().Any(scheme => scheme.Name == "operator_key")
            ? "the operator's key"
            : "an API key of the account, or an access token";
    }

    private static ApiParameter ParameterOf(JsonElement parameter, ApiSchemas schemas) =>
        new(
            Text(parameter, "name") ?? "",
            Text(parameter, "in") ?? "",
            parameter.TryGetProperty("schema", out var schema) ? schemas.TypeOf(schema) : "string",
            parameter.TryGetProperty("required", out var required) && required.ValueKind == JsonValueKind.True,
            Text(parameter, "description")
        );

    private static IEnumerable<ApiContent> ContentsOf(JsonElement content, ApiSchemas schemas) =>
        content
            .EnumerateObject()
            .Select(media =>
                media.Value.TryGetProperty("schema", out var schema)
                    ? new ApiContent(
                        media.Name,
                        schemas.TypeOf(schema),
                        schemas.FieldsOf(schema),
                        media.Value.TryGetProperty("example", out var example)
                            ? Written(JsonNode.Parse(example.GetRawText()))
                            : Written(schemas.ExampleOf(schema))
                    )
                    : new ApiContent(media.Name, "text", [], null)
            );

    private static string? Written(JsonNode? example) =>
        example?.ToJsonString(new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text
            ? Plain(text)
            : null;

    /// <summary>A description without the marks that Markdown has for code, which a page would show as they are.</summary>
    internal static string Plain(string text) => text.Replace("`", "", StringComparison.Ordinal);
}

/// <summary>Reads JSON schemas: what something is in a word, its members, and an example of it.</summary>
/// <param name="description">The description that has them.</param>
internal sealed class ApiSchemas(JsonElement description)
{
    private const int Deepest = 6;
    private const string Reference = "#/components/schemas/";

    /// <summary>What something is, in a word.</summary>
    public string TypeOf(JsonElement schema)
    {
        if (NameOf(schema) is { } name)
            return Find(name) is { } found && TypesOf(found) is [var only, ..] && only != "object" ? TypeOf(found) : name;
        foreach (var choice in (string[])["oneOf", "anyOf", "allOf"])
        {
            if (schema.TryGetProperty(choice, out var choices))
                return string.Join(" or ", choices.EnumerateArray().Select(TypeOf).Where(type => type.Length > 0).Distinct());
        }

        if (schema.TryGetProperty("enum", out var values))
            return string.Join(", ", values.EnumerateArray().Select(value => value.GetRawText()));
        var types = TypesOf(schema);
        if (types.Contains("array"))
            return "list of " + (schema.TryGetProperty("items", out var items) ? TypeOf(items) : "anything") + OrNull(types);
        if (
            types.Contains("object")
            && schema.TryGetProperty("additionalProperties", out var values2)
            && values2.ValueKind == JsonValueKind.Object
        )
            return "map of " + TypeOf(values2) + OrNull(types);

        // A number is also taken as text, by a pattern that says nothing to readers.
        var plain = types.Where(type => type != "null").ToList();
        if (plain.Count > 1 && plain.Contains("string") && schema.TryGetProperty("pattern", out _))
            plain.Remove("string");
        var format =
            schema.TryGetProperty("format", out var of) && of.GetString() is "date-time" or "date" or "uuid" or "uri"
                ? $" ({of.GetString()})"
                : "";
        return (plain.Count == 0 ? "anything" : string.Join(" or ", plain)) + format + OrNull(types);
    }

    /// <summary>Its members, each after what it is part of.</summary>
    public IReadOnlyList<ApiField> FieldsOf(JsonElement schema)
    {
        var fields = new List<ApiField>();
        Collect(schema, 0, [], fields);
        return fields;
    }

    /// <summary>What it looks like.</summary>
    public JsonNode? ExampleOf(JsonElement schema) => ExampleOf(schema, "", []);

    private void Collect(JsonElement schema, int depth, HashSet<string> within, List<ApiField> fields)
    {
        if (depth > Deepest)
            return;
        foreach (var (name, inner) in Unfold(schema))
        {
            // What is part of itself is told once.
            if (name is not null && !within.Add(name))
                continue;
            if (inner.TryGetProperty("items", out var items))
                Collect(items, depth, within, fields);
            else if (inner.TryGetProperty("properties", out var members))
            {
                var required = inner.TryGetProperty("required", out var names)
                    ? names.EnumerateArray().Select(one => one.GetString()!).ToHashSet(StringComparer.Ordinal)
                    : [];
                foreach (var member in members.EnumerateObject())
                {
                    fields.Add(
                        new(
                            member.Name,
                            depth,
                            TypeOf(member.Value),
                            required.Contains(member.Name),
                            member.Value.TryGetProperty("description", out var about) && about.GetString() is { } text
                                ? ApiBook.Plain(text)
                                : null
                        )
                    );
                    Collect(member.Value, depth + 1, within, fields);
                }
            }
            else if (inner.TryGetProperty("additionalProperties", out var values) && values.ValueKind == JsonValueKind.Object)
                Collect(values, depth, within, fields);
            if (name is not null)
                within.Remove(name);
        }
    }

    private JsonNode? ExampleOf(JsonElement schema, string name, HashSet<string> within)
    {
        foreach (var said in (string[])["example", "default", "const"])
        {
            if (schema.TryGetProperty(said, out var value) && value.ValueKind != JsonValueKind.Null)
                return JsonNode.Parse(value.GetRawText());
        }

        if (
            Unfold(schema)
                .Where(one => !TypesOf(one.Schema).SequenceEqual(["null"]))
                .Select(one => ((string?, JsonElement)?)one)
                .FirstOrDefault()
            is not var (reference, inner)
        )
            return null;
        if (reference is not null && !within.Add(reference))
            return null;
        try
        {
            if (inner.TryGetProperty("enum", out var values))
                return JsonNode.Parse(values[0].GetRawText());
            var types = TypesOf(inner);
            if (types.Contains("array"))
                return inner.TryGetProperty("items", out var items) && ExampleOf(items, name, within) is { } item
                    ? new JsonArray(item)
                    : new JsonArray();
            if (inner.TryGetProperty("properties", out var members))
            {
                var made = new JsonObject();
                foreach (var member in members.EnumerateObject())
                    made[member.Name] = ExampleOf(member.Value, member.Name, within);
                return made;
            }

            return types.Contains("object") ? new JsonObject()
                : types.Contains("integer") ? JsonValue.Create(1)
                : types.Contains("number") ? JsonValue.Create(1.5m)
                : types.Contains("boolean") ? JsonValue.Create(true)
                : types.Contains("string") ? JsonValue.Create(WordOf(name, inner))
                : null;
        }
        finally
        {
            if (reference is not null)
                within.Remove(reference);
        }
    }

    private static string WordOf(string name, JsonElement schema) =>
        (schema.TryGetProperty("format", out var format) ? format.GetString() : null) switch
        {
            "date-time" => "2026-07-03T12:00:00Z",
            "date" => "2026-07-03",
            "uuid" => "01890a5d-ac96-774b-bcce-b302099a8057",
            "uri" => "https://example.com/",
            _ => name switch
            {
                "" => "text",
                "email" => "ada@example.com",
                "model" => "auto",
                "role" => "user",
                "currency" => "usd",
                _ => name,
            },
        };

    /// <summary>What a reference leads to, and what a choice is between, each with the name that it is known by.</summary>
    private IEnumerable<(string? Name, JsonElement Schema)> Unfold(JsonElement schema)
    {
        if (NameOf(schema) is { } name)
        {
            if (Find(name) is { } found)
                yield return (name, found);
            yield break;
        }

        foreach (var choice in (string[])["oneOf", "anyOf", "allOf"])
        {
            if (!schema.TryGetProperty(choice, out var choices))
                continue;
            foreach (var one in choices.EnumerateArray().SelectMany(Unfold))
                yield return one;
            yield break;
        }

        yield return (null, schema);
    }

    private JsonElement? Find(string name) =>
        description.TryGetProperty("components", out var components)
        && components.TryGetProperty("schemas", out var schemas)
        && schemas.TryGetProperty(name, out var schema)
            ? schema
            : null;

    private static string? NameOf(JsonElement schema) =>
        schema.ValueKind == JsonValueKind.Object
        && schema.TryGetProperty("$ref", out var reference)
        && reference.GetString() is { } text
        && text.StartsWith(Reference, StringComparison.Ordinal)
            ? text[Reference.Length..]
            : null;

    private static IReadOnlyList<string> TypesOf(JsonElement schema) =>
        schema.ValueKind != JsonValueKind.Object || !schema.TryGetProperty("type", out var type) ? []
        : type.ValueKind == JsonValueKind.Array ? [.. type.EnumerateArray().Select(one => one.GetString()!)]
        : [type.GetString()!];

    private static string OrNull(IReadOnlyList<string> types) => types.Contains("null") ? " or null" : "";
}
