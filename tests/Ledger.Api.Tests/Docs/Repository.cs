namespace Ledger.Api.Tests.Docs;

/// <summary>The repository that these tests were built from.</summary>
internal static class Repository
{
    /// <summary>Its top folder.</summary>
    public static string Folder { get; } = Find(AppContext.BaseDirectory);

    /// <summary>A file of it.</summary>
    public static string Read(string path) => File.ReadAllText(Path.Combine(Folder, path));

    private static string Find(string from) =>
        File.Exists(Path.Combine(from, "Ledger.slnx"))
            ? from
            : Find(Directory.GetParent(from)?.FullName ?? throw new InvalidOperationException("Not inside the repository."));
}
