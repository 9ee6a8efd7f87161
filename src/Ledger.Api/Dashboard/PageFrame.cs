using Microsoft.AspNetCore.Components;

namespace Ledger.Api.Dashboard;

/// <summary>Whose pages these are.</summary>
public enum PageAudience
{
    /// <summary>Anybody's.</summary>
    Guest,

    /// <summary>A signed-in account's.</summary>
    Customer,

    /// <summary>The operator's.</summary>
    Operator,
}

/// <summary>What stands around every page, and what its parts need to know of the request. Components get it as cascading parameter.</summary>
/// <param name="Title">The page's title.</param>
/// <param name="Path">The path that was asked for, with its query.</param>
/// <param name="Audience">Whose page it is.</param>
/// <param name="Who">Who is signed in, in words; null for nobody.</param>
/// <param name="Theme"><c>light</c>, <c>dark</c>, or <c>system</c> for whatever the device says.</param>
/// <param name="Csrf">The token that the page's forms and scripts send back; null where it has none, as error pages.</param>
/// <param name="Assets">Where style sheets and scripts are.</param>
/// <param name="Scripts">The scripts that this page needs besides the common one, by name.</param>
/// <param name="Now">The time of the page.</param>
public sealed record PageFrame(
    string Title,
    string Path,
    PageAudience Audience,
    string? Who,
    string Theme,
    string? Csrf,
    AssetLibrary Assets,
    IReadOnlyList<string> Scripts,
    DateTimeOffset Now
);

/// <summary>A page: pure, from its model to HTML. What it needs was looked up by whoever answers with it.</summary>
/// <typeparam name="TModel">What it shows.</typeparam>
public abstract class PageView<TModel> : ComponentBase
{
    /// <summary>What it shows.</summary>
    [Parameter, EditorRequired]
    public required TModel Model { get; set; }

    /// <summary>What stands around it.</summary>
    [CascadingParameter]
    public required PageFrame Frame { get; set; }
}
