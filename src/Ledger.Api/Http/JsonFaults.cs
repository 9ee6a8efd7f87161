namespace Ledger.Api.Http;

/// <summary>One thing that is wrong with a request.</summary>
/// <param name="Path">The member, such as <c>models[0].fallbacks[1]</c>; empty for the body as a whole.</param>
/// <param name="Message">What is wrong with it.</param>
internal readonly record struct JsonFault(string Path, string Message);

/// <summary>Everything that is wrong with a request, so that it can be told at once.</summary>
internal sealed class JsonFaults
{
    // A body full of nonsense is not worth a list of a thousand lines.
    private const int Most = 100;
    private readonly List<JsonFault> _all = [];

    /// <summary>In the order in which they were found.</summary>
    public IReadOnlyList<JsonFault> All => _all;

    /// <summary>Whether there is none.</summary>
    public bool IsEmpty => _all.Count == 0;

    /// <summary>Adds one.</summary>
    public void Add(string path, string message)
    {
        if (_all.Count < Most)
            _all.Add(new(path, message));
    }

    /// <summary>Whether something is wrong with a member, or with what it stands in: then nothing more can be said of it.</summary>
    public bool Covers(string path) =>
        _all.Exists(fault =>
            path.StartsWith(fault.Path, StringComparison.Ordinal)
            && (path.Length == fault.Path.Length || path[fault.Path.Length] is '.' or '[')
        );
}
