using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;

namespace Ledger.EventStore;

/// <summary>Turns an inline read model's part into SQL: names become numbers, the gate is spelled out.</summary>
internal static partial class InlineSql
{
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
