namespace Ledger.Api.Dashboard.Layout;

/// <summary>What the menus lead to. A page that is added is entered here.</summary>
internal static class MenuLinks
{
    /// <summary>An account's pages.</summary>
    public static readonly IReadOnlyList<(string Href, string Label, string Icon)> Customer =
    [
        ("/", "Overview", "overview"),
        ("/keys", "API keys", "key"),
        ("/credits", "Credits", "credits"),
        ("/packs", "Packs", "pack"),
        ("/activity", "Activity", "activity"),
        ("/workspace", "Workspace", "workspace"),
        ("/docs", "Docs", "docs"),
        ("/security", "Sign-in", "security"),
    ];

    /// <summary>The operator's.</summary>
    public static readonly IReadOnlyList<(string Href, string Label, string Icon)> Operator =
    [
        ("/operator", "Overview", "overview"),
        ("/operator/accounts", "Accounts", "accounts"),
        ("/operator/rate-card", "Rate card", "card"),
        ("/operator/deliveries", "Webhooks", "webhook"),
        ("/operator/audit", "Audit", "audit"),
    ];

    /// <summary>Whether a link leads to where one is, or to what that is part of.</summary>
    public static bool IsCurrent(string href, string path)
    {
        var at = path.Split('?')[0];
        return at == href || (href is not ("/" or "/operator") && at.StartsWith(href + "/", StringComparison.Ordinal));
    }
}
