using System.Collections.Concurrent;
using System.Reflection;

namespace Ledger.EventStore;

/// <summary>SQL that is kept in files of its own, one database object or statement each, embedded in the assembly.</summary>
public static class SqlFile
{
    private static readonly ConcurrentDictionary<(Assembly, string), string> Files = new();

    /// <summary>The text of one of this assembly's files.</summary>
    internal static string Read(string name) => Read(typeof(SqlFile).Assembly, name);

    /// <summary>The text of a file embedded in an assembly.</summary>
    /// <exception cref="FileNotFoundException">There is none of that name.</exception>
    public static string Read(Assembly assembly, string name) =>
        Files.GetOrAdd(
            (assembly, name),
            static key =>
            {
                using var stream =
                    key.Item1.GetManifestResourceStream(key.Item2)
                    ?? throw new FileNotFoundException($"{key.Item2} is not embedded.", key.Item2);
                using var reader = new StreamReader(stream);
                return reader.ReadToEnd();
            }
        );
}
