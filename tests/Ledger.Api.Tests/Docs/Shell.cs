using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Ledger.Api.Tests.Docs;

/// <summary>One command of a document, with what the document says comes back.</summary>
/// <param name="Text">The command's lines.</param>
/// <param name="Expected">The lines behind <c># =></c>; <c>…</c> stands for anything. None where the document does not say.</param>
internal sealed record Snippet(string Text, IReadOnlyList<string> Expected)
{
    private const string Answer = "# => ";

    /// <summary>The commands of shell text, in order; a line that ends in a backslash goes on.</summary>
    public static IEnumerable<Snippet> Of(string shell)
    {
        var command = new List<string>();
        var expected = new List<string>();
        foreach (var line in shell.Split('\n').Select(line => line.TrimEnd()).Where(line => line.Length > 0))
        {
            if (line.StartsWith(Answer, StringComparison.Ordinal))
            {
                expected.Add(line[Answer.Length..]);
                continue;
            }

            if (command.Count > 0 && !command[^1].EndsWith('\\'))
            {
                yield return new(string.Join('\n', command), [.. expected]);
                command.Clear();
                expected.Clear();
            }

            if (!line.StartsWith('#'))
                command.Add(line);
        }

        if (command.Count > 0)
            yield return new(string.Join('\n', command), [.. expected]);
    }

    /// <summary>The shell blocks of a document, in order.</summary>
    public static IEnumerable<string> BlocksOf(string markdown) =>
        Regex
            .Matches(markdown, "^```sh\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)
            .Select(match => match.Groups[1].Value);
}

/// <summary>Runs the commands of a document in one bash, so that what one sets the next sees.</summary>
internal static class Shell
{
    private const string Mark = "@@@";

    /// <summary>Runs commands and compares what each prints with what the document says.</summary>
    public static async Task RunAsync(IReadOnlyList<Snippet> snippets, string folder, Func<string, string>? replace = null)
    {
        var script =
            "set -eu -o pipefail\n"
            + string.Concat(
                snippets.Select(snippet => $"{(replace is null ? snippet.Text : replace(snippet.Text))}\nprintf '\\n{Mark}\\n'\n")
            );
        using var bash = Process.Start(
            new ProcessStartInfo("bash", ["-c", script])
            {
                WorkingDirectory = folder,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        var errors = bash.StandardError.ReadToEndAsync();
        var output = await bash.StandardOutput.ReadToEndAsync();
        await bash.WaitForExitAsync();
        bash.ExitCode.ShouldBe(0, $"{script}\n{output}\n{await errors}");

        var printed = output.Split(Mark + "\n");
        printed.Length.ShouldBe(snippets.Count + 1);
        for (var n = 0; n < snippets.Count; n++)
        {
            if (snippets[n].Expected.Count == 0)
                continue;
            var lines = printed[n].Split('\n', StringSplitOptions.RemoveEmptyEntries);
            var pattern =
                "^"
                + string.Join('\n', snippets[n].Expected.Select(line => Regex.Escape(line).Replace("…", ".*", StringComparison.Ordinal)))
                + "$";
            string.Join('\n', lines).ShouldMatch(pattern, snippets[n].Text);
        }
    }
}
