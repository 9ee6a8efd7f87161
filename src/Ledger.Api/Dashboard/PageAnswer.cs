namespace Ledger.Api.Dashboard;

/// <summary>What a page's route answers.</summary>
public abstract record PageAnswer
{
    private PageAnswer() { }

    /// <summary>A page.</summary>
    /// <typeparam name="TView">The component.</typeparam>
    /// <typeparam name="TModel">What it shows.</typeparam>
    /// <param name="title">The page's title.</param>
    /// <param name="model">What it shows.</param>
    /// <param name="status">The HTTP status: 200, or 4xx for a form that is shown again.</param>
    /// <param name="scripts">The scripts that it needs besides the common one, by name.</param>
    public static PageAnswer Show<TView, TModel>(string title, TModel model, int status = 200, params IReadOnlyList<string> scripts)
        where TView : PageView<TModel>
        where TModel : notnull => new Page(typeof(TView), title, model, status, scripts);

    /// <summary>Go and see another page: what a form answers when it has done something, so that reloading does nothing twice.</summary>
    /// <param name="path">Where.</param>
    public static PageAnswer SeeOther(string path) => new Elsewhere(path);

    /// <summary>There is nothing of this name, or it is somebody else's, which nobody is told apart.</summary>
    public static PageAnswer NotFound { get; } = new Missing();

    internal sealed record Page(Type View, string Title, object Model, int Status, IReadOnlyList<string> Scripts) : PageAnswer;

    internal sealed record Elsewhere(string Path) : PageAnswer;

    internal sealed record Missing : PageAnswer;
}
