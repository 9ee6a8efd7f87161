namespace Ledger.Api.Dashboard.Docs;

/// <summary>How to begin, in one language.</summary>
/// <param name="Server">This server's address, without a slash at its end.</param>
/// <param name="Language">The language that is shown.</param>
/// <param name="Languages">All of them, by name in the address and by label.</param>
/// <param name="Snippets">What can be pasted.</param>
/// <param name="HasKeys">Whether the account has a key that works.</param>
public sealed record DocsModel(
    string Server,
    string Language,
    IReadOnlyList<(string Name, string Label)> Languages,
    IReadOnlyList<Snippet> Snippets,
    bool HasKeys
);

/// <summary>Something to paste.</summary>
/// <param name="Id">Its id on the page.</param>
/// <param name="Title">What it does.</param>
/// <param name="Lead">What to know about it.</param>
/// <param name="Install">What must be installed before; null for nothing.</param>
/// <param name="Code">The code.</param>
public sealed record Snippet(string Id, string Title, string Lead, string? Install, string Code);

/// <summary>The routes, those that somebody looks for.</summary>
/// <param name="Search">What is looked for.</param>
/// <param name="Groups">The routes by tag.</param>
/// <param name="Count">How many of them were found.</param>
/// <param name="Total">How many there are.</param>
public sealed record ApiModel(
    string Search,
    IReadOnlyList<(string Tag, IReadOnlyList<ApiOperation> Operations)> Groups,
    int Count,
    int Total
);

/// <summary>One route.</summary>
/// <param name="Operation">The route.</param>
/// <param name="Curl">How to ask for it.</param>
public sealed record OperationModel(ApiOperation Operation, string Curl);

/// <summary>A route of the API as its description has it.</summary>
/// <param name="Method">The method, in capitals.</param>
/// <param name="Path">The path, with its parameters in braces.</param>
/// <param name="Tag">To what it belongs.</param>
/// <param name="Summary">What it does.</param>
/// <param name="Token">Whose token opens it; null where none is needed.</param>
/// <param name="Parameters">What the path and the query take.</param>
/// <param name="Body">What is sent; null where nothing is.</param>
/// <param name="Answers">What comes back, by status.</param>
public sealed record ApiOperation(
    string Method,
    string Path,
    string Tag,
    string Summary,
    string? Token,
    IReadOnlyList<ApiParameter> Parameters,
    ApiContent? Body,
    IReadOnlyList<ApiAnswer> Answers
)
{
    /// <summary>Where it is described.</summary>
    public string Href => $"/docs/api/operation?method={Method.ToLowerInvariant()}&path={Uri.EscapeDataString(Path)}";

    /// <summary>How its method is to be taken.</summary>
    public string? Tone =>
        Method switch
        {
            "GET" => "accent",
            "DELETE" => "bad",
            _ => "good",
        };
}

/// <summary>A parameter.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Place"><c>path</c>, <c>query</c> or <c>header</c>.</param>
/// <param name="Type">What it is.</param>
/// <param name="IsRequired">Whether it must be there.</param>
/// <param name="Description">What it means; null where nobody said.</param>
public sealed record ApiParameter(string Name, string Place, string Type, bool IsRequired, string? Description);

/// <summary>What is sent or comes back.</summary>
/// <param name="Type">The content type.</param>
/// <param name="Schema">What it is as a whole.</param>
/// <param name="Fields">Its members, each after what it is part of.</param>
/// <param name="Example">What it looks like.</param>
public sealed record ApiContent(string Type, string Schema, IReadOnlyList<ApiField> Fields, string? Example);

/// <summary>A member.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Depth">In how many others it is.</param>
/// <param name="Type">What it is.</param>
/// <param name="IsRequired">Whether it must be there.</param>
/// <param name="Description">What it means; null where nobody said.</param>
public sealed record ApiField(string Name, int Depth, string Type, bool IsRequired, string? Description);

/// <summary>An answer.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Description">What it means.</param>
/// <param name="Contents">What comes with it, by content type.</param>
public sealed record ApiAnswer(string Status, string Description, IReadOnlyList<ApiContent> Contents);
