using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Npgsql;

namespace Ledger.EventStore;

/// <summary>Turns an inline read model's part into SQL: names become numbers, the gate is spelled out.</summary>
internal static partial class InlineSql
{
    /// <summary>Leaves out the blocks between <c>--[ name</c> and <c>--]</c> whose name is not wanted; they may stand inside each other.</summary>
    public static string Keep(string template, params ReadOnlySpan<string> wanted)
    {
        var kept = new StringBuilder(template.Length);
        var blocks = new Stack<bool>();
        foreach (var line in template.AsSpan().EnumerateLines())
        {
            if (line.StartsWith("--["))
                blocks.Push((blocks.Count == 0 || blocks.Peek()) && wanted.Contains(line[3..].Trim().ToString()));
            else if (line.StartsWith("--]"))
                blocks.Pop();
            else if (blocks.Count == 0 || blocks.Peek())
                kept.Append(line).Append('\n');
        }

        return kept.ToString().TrimEnd('\n');
    }

    /// <summary>Numbers the named columns of one part, each once, after those in <paramref name="parameters"/>.</summary>
    public static string Resolve(string template, InlineWrite write, List<NpgsqlParameter> parameters)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        var gated = Gate()
            .Replace(
                template,
                match => $"((select w.everything from won w) or {match.Groups[1].Value} = any ((select w.streams from won w)::int[]))"
            );
        return Name()
            .Replace(
                gated,
                match =>
                {
                    var name = match.Groups[1].Value;
                    if (!numbers.TryGetValue(name, out var number))
                    {
                        parameters.Add(write.Columns.Single(column => column.Name == name).ToParameter());
                        numbers.Add(name, number = parameters.Count);
                    }

                    return "$" + number.ToString(CultureInfo.InvariantCulture);
                }
            );
    }

    [GeneratedRegex(@":won\(([a-z_.]+)\)")]
    private static partial Regex Gate();

    [GeneratedRegex(@"(?<!:):([a-z][a-z0-9_]*)")]
    private static partial Regex Name();
}
