namespace Ledger.Api.Dashboard;

/// <summary>Addresses inside this server that came from outside: where to go on after signing in, where to go back.</summary>
internal static class LocalPaths
{
    /// <summary>A path as it may be redirected to; another where it leads elsewhere, or nowhere.</summary>
    /// <param name="path">What came.</param>
    /// <param name="otherwise">Where to go instead.</param>
    public static string Of(string? path, string otherwise) =>
        path is { Length: > 0 and <= 500 }
        && path[0] == '/'
        // Browsers read both //host and /\host as another server's address.
        && !(path.Length > 1 && path[1] is '/' or '\\')
        && path.All(c => c is > ' ' and <= '~')
            ? path
            : otherwise;
}
