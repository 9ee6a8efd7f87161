using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Ledger.Domain.Money;

namespace Ledger.Api.Http;

/// <summary>
/// The members of one JSON object of a request, read strictly: each is asked for by name, what is wrong with it is noted and reading goes on,
/// and in the end whatever nobody asked for is named too. A null is a member left out.
/// </summary>
internal sealed class JsonMembers
{
    private readonly Dictionary<string, JsonElement> _members = new(StringComparer.Ordinal);
    private readonly JsonFaults _faults;
    private readonly string _path;

    /// <summary>The members of an object; none where it is something else, which is a fault.</summary>
    /// <param name="element">The object.</param>
    /// <param name="path">Where it stands in the body; empty for the body itself.</param>
    /// <param name="faults">Where faults are noted.</param>
    public JsonMembers(JsonElement element, string path, JsonFaults faults)
    {
        (_path, _faults) = (path, faults);
        if (element.ValueKind != JsonValueKind.Object)
        {
            faults.Add(path, path.Length == 0 ? "The body must be a JSON object." : "must be an object");

            // Whoever sent no object is told that, not that all its members are missing too.
            _faults = new();
            return;
        }

        foreach (var member in element.EnumerateObject())
        {
            if (NameOf(member) is not { } name)
                faults.Add(At("?"), "is not known here");
            else if (!_members.TryAdd(name, member.Value))
                faults.Add(At(name), "must stand only once");
        }
    }

    /// <summary>Reads a whole body; null where it is not JSON, which is noted.</summary>
    public static async Task<JsonDocument?> ParseAsync(HttpContext context, JsonFaults faults)
    {
        var body = await RequestBody.ReadAsync(context);
        try
        {
            // A copy: the document outlives the request's buffer.
            return JsonDocument.Parse(body.ToArray());
        }
        catch (JsonException)
        {
            faults.Add("", body.IsEmpty ? "The body is empty; a JSON object was expected." : "The body is not valid JSON.");
            return null;
        }
        finally
        {
            RequestBody.Release(context, body);
        }
    }

    /// <summary>Whether a member is there.</summary>
    public bool Has(string name) => _members.ContainsKey(name);

    /// <summary>Whether a member is there and says nothing: null.</summary>
    public bool IsNull(string name) => _members.TryGetValue(name, out var value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>Where a member stands in the body.</summary>
    public string At(string name) => _path.Length == 0 ? name : _path + "." + name;

    /// <summary>A member as it is; null where it is left out, which is a fault where it is required.</summary>
    public JsonElement? Take(string name, bool required = false)
    {
        if (_members.Remove(name, out var value) && value.ValueKind != JsonValueKind.Null)
            return value;
        if (required)
            _faults.Add(At(name), "is required");
        return null;
    }

    /// <summary>A text that both UTF-8 and jsonb can hold: no NUL, no lone surrogates.</summary>
    public string? Text(string name, int max, bool required = false)
    {
        if (Take(name, required) is not { } value)
            return null;
        if (TextOf(value) is { Length: > 0 } text && (text.Length <= max || text.EnumerateRunes().Count() <= max))
            return text;
        _faults.Add(At(name), string.Create(CultureInfo.InvariantCulture, $"must be a text of 1 to {max} characters, without NUL"));
        return null;
    }

    /// <summary>One of some words.</summary>
    public T? Choice<T>(string name, bool required, params ReadOnlySpan<(string Word, T Value)> words)
        where T : struct
    {
        if (Take(name, required) is not { } value)
            return null;
        var text = TextOf(value);
        foreach (var (word, meaning) in words)
        {
            if (word == text)
                return meaning;
        }

        var all = new List<string>();
        foreach (var (word, _) in words)
            all.Add(word);
        _faults.Add(At(name), "must be " + string.Join(", ", all[..^1]) + " or " + all[^1]);
        return null;
    }

    /// <summary>A whole number.</summary>
    public long? Whole(string name, long min, long max, bool required = false)
    {
        if (Take(name, required) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= min && number <= max)
            return number;
        _faults.Add(At(name), string.Create(CultureInfo.InvariantCulture, $"must be a whole number from {min} to {max}"));
        return null;
    }

    /// <summary>True or false.</summary>
    public bool? Flag(string name)
    {
        if (Take(name) is not { } value)
            return null;
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return value.GetBoolean();
        _faults.Add(At(name), "must be true or false");
        return null;
    }

    /// <summary>A time with its offset from UTC, to the microsecond at most.</summary>
    public DateTimeOffset? Time(string name)
    {
        if (Take(name) is not { } value)
            return null;
        if (TextOf(value) is { } text && WireTime.TryParse(text, out var at))
            return at;
        _faults.Add(At(name), "must be a time such as 2026-07-03T12:00:00Z, with at most six fraction digits");
        return null;
    }

    /// <summary>A price or quantity as a decimal string.</summary>
    public Quantity Price(string name)
    {
        if (Take(name, required: true) is not { } value)
            return default;
        if (value.ValueKind == JsonValueKind.String && TextOf(value) is { } text && Quantity.TryParse(text, out var price))
            return price;
        _faults.Add(At(name), "must be a decimal string from 0 to 1000000000 with at most nine places, such as \"0.14\"");
        return default;
    }

    /// <summary>The spelling of a number, given as a JSON number or as a decimal string; empty where it is neither.</summary>
    public string? Number(string name, bool required = false) =>
        Take(name, required) is not { } value
            ? null
            : value.ValueKind switch
            {
                JsonValueKind.Number => value.GetRawText(),
                JsonValueKind.String => TextOf(value) ?? "",
                _ => "",
            };

    /// <summary>A sum that somebody is asked to pay: whole cents within bounds in dollars; required.</summary>
    public Amount Dollars(string name, int min, int max)
    {
        if (Number(name, required: true) is not { } text)
            return default;
        if (
            Amount.TryParse(text, Unit.Usd, out var amount)
            && amount.Parts % Domain.Money.Price.Cent == 0
            && amount >= Amount.Usd(min)
            && amount <= Amount.Usd(max)
        )
            return amount;
        _faults.Add(At(name), string.Create(CultureInfo.InvariantCulture, $"must be whole cents from {min} to {max} dollars"));
        return default;
    }

    /// <summary>An object; without members where it is left out or something else.</summary>
    public JsonMembers Object(string name) => Take(name, required: true) is { } value ? new(value, At(name), _faults) : Nothing(At(name));

    /// <summary>The items of an array; none where it is left out or something else.</summary>
    public IReadOnlyList<T> List<T>(string name, int max, bool required, Func<JsonElement, string, T> read)
    {
        if (Take(name, required) is not { } value)
            return [];
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() > max)
        {
            _faults.Add(At(name), string.Create(CultureInfo.InvariantCulture, $"must be an array of at most {max}"));
            return [];
        }

        return [.. value.EnumerateArray().Select((item, i) => read(item, string.Create(CultureInfo.InvariantCulture, $"{At(name)}[{i}]")))];
    }

    /// <summary>The items of an array of texts.</summary>
    public IReadOnlyList<string> Texts(string name, int max, int maxLength, bool required) =>
        List(
            name,
            max,
            required,
            (item, path) =>
            {
                if (TextOf(item) is { Length: > 0 } text && text.Length <= maxLength)
                    return text;
                _faults.Add(
                    path,
                    string.Create(CultureInfo.InvariantCulture, $"must be a text of 1 to {maxLength} characters, without NUL")
                );
                return "";
            }
        );

    /// <summary>Every member that is left, for objects whose names are data.</summary>
    public IEnumerable<(string Name, JsonElement Value)> TakeAll()
    {
        var all = _members.Select(member => (member.Key, member.Value)).ToList();
        _members.Clear();
        return all;
    }

    /// <summary>Names what nobody asked for.</summary>
    public void End()
    {
        foreach (var name in _members.Keys)
            _faults.Add(At(name.Length <= 100 ? name : name[..100]), "is not known here");
    }

    /// <summary>A string's text; null where it is no string, or holds what cannot be stored.</summary>
    public static string? TextOf(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String)
            return null;
        try
        {
            var text = value.GetString()!;
            return text.Contains('\0', StringComparison.Ordinal) ? null : text;
        }
        catch (InvalidOperationException)
        {
            // A lone surrogate, or bytes that are not UTF-8.
            return null;
        }
    }

    private static string? NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    // The same holds for an object that was left out.
    private static JsonMembers Nothing(string path) => new(JsonDocument.Parse("{}").RootElement, path, new());
}
