using System.Text.RegularExpressions;

namespace Ledger.Api.Tests.Docs;

/// <summary>Links between the documents lead somewhere.</summary>
public sealed partial class LinkTests
{
    [Fact]
    public void Every_link_inside_the_repository_leads_to_a_file_and_to_a_heading_of_it()
    {
        var broken = new List<string>();
        foreach (var page in Pages())
        {
            var text = Fence().Replace(File.ReadAllText(page), "");
            foreach (
                var target in Link()
                    .Matches(text)
                    .Select(match => match.Groups[1].Value)
                    .Where(target => !target.Contains("://", StringComparison.Ordinal))
            )
            {
                var parts = target.Split('#', 2);
                var file = parts[0].Length == 0 ? page : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(page)!, parts[0]));
                var isThere = parts[0].EndsWith('/') ? Directory.Exists(file) : File.Exists(file);
                if (!isThere || (parts.Length == 2 && !AnchorsOf(file).Contains(parts[1])))
                    broken.Add($"{Path.GetRelativePath(Repository.Folder, page)} → {target}");
            }
        }

        broken.ShouldBeEmpty();
    }

    [Fact]
    public void Every_source_file_that_a_document_names_is_there()
    {
        var missing =
            from page in Pages()
            from Match named in SourceFile().Matches(File.ReadAllText(page))
            let path = named.Groups[1].Value
            where !File.Exists(Path.Combine(Repository.Folder, path)) && !Directory.Exists(Path.Combine(Repository.Folder, path))
            select $"{Path.GetRelativePath(Repository.Folder, page)} → {path}";
        missing.ShouldBeEmpty();
    }

    private static IEnumerable<string> Pages() =>
        Directory
            .EnumerateFiles(Repository.Folder, "*.md")
            .Concat(Directory.EnumerateFiles(Path.Combine(Repository.Folder, "docs"), "*.md", SearchOption.AllDirectories));

    // As the usual viewers make them: lower case, blanks to hyphens, everything else but letters, digits, hyphens and underscores dropped.
    private static HashSet<string> AnchorsOf(string file) =>
        [
            .. Heading()
                .Matches(Fence().Replace(File.ReadAllText(file), ""))
                .Select(match =>
                    Regex.Replace(match.Groups[1].Value.Trim().ToLowerInvariant().Replace(' ', '-'), "[^\\p{L}\\p{Nd}_-]", "")
                ),
        ];

    [GeneratedRegex(@"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("^#{1,6} (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex("^```.*?^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"`((?:src|tests|docs)/[A-Za-z0-9_./-]*[A-Za-z0-9_/])`")]
    private static partial Regex SourceFile();
}
