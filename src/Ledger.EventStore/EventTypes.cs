using System.Collections.Frozen;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Ledger.EventStore;

/// <summary>One type of event: its stored name, its .NET name, and its JSON form.</summary>
/// <param name="Name">The snake_case name in <c>mt_events.type</c>.</param>
/// <param name="DotnetType"><c>Namespace.Type, Assembly</c>, in <c>mt_events.mt_dotnet_type</c>.</param>
/// <param name="Json">Reads and writes its members.</param>
public sealed record EventType(string Name, string DotnetType, JsonTypeInfo Json);

/// <summary>The types of event that this build knows, by .NET type and by stored name.</summary>
public sealed class EventTypes
{
    private readonly FrozenDictionary<Type, EventType> _byType;
    private readonly FrozenDictionary<string, EventType> _byName;

    /// <summary>Registers types whose JSON form <paramref name="json"/> knows.</summary>
    public EventTypes(JsonSerializerContext json, IEnumerable<Type> types)
    {
        ArgumentNullException.ThrowIfNull(json);
        _byType = types.ToFrozenDictionary(
            type => type,
            type => new EventType(
                SnakeCase(type.Name),
                $"{type.FullName}, {type.Assembly.GetName().Name}",
                json.GetTypeInfo(type)
                    ?? throw new ArgumentException($"{type.Name} has no JSON form in {json.GetType().Name}.", nameof(types))
            )
        );
        _byName = _byType.Values.ToFrozenDictionary(type => type.Name, StringComparer.Ordinal);
    }

    /// <summary>Every registered type.</summary>
    public IEnumerable<EventType> All => _byType.Values;

    /// <summary>The registered type of an event.</summary>
    /// <exception cref="InvalidOperationException">It is not registered: a bug.</exception>
    public EventType Of(object @event)
    {
        ArgumentNullException.ThrowIfNull(@event);
        return _byType.TryGetValue(@event.GetType(), out var type)
            ? type
            : throw new InvalidOperationException($"{@event.GetType().Name} is not a registered event.");
    }

    /// <summary>The stored name of a registered type of event.</summary>
    public string NameOf<T>() => _byType[typeof(T)].Name;

    /// <summary>Reads the members of a stored event.</summary>
    /// <exception cref="UnknownEventTypeException">A newer version of the server wrote it.</exception>
    public object Read(StoredEvent stored)
    {
        ArgumentNullException.ThrowIfNull(stored);
        return Find(stored) ?? throw new UnknownEventTypeException(stored.StreamId, stored.Version, stored.Type);
    }

    /// <summary>The same; null where a newer version of the server wrote it.</summary>
    public object? Find(StoredEvent stored)
    {
        ArgumentNullException.ThrowIfNull(stored);
        return !_byName.TryGetValue(stored.Type, out var type)
            ? null
            : JsonSerializer.Deserialize(stored.Data, type.Json)
                ?? throw new InvalidDataException($"{stored.StreamId} version {stored.Version} has no data.");
    }

    /// <summary>Reads the members of an event as they came over the wire; null where a newer version of the server wrote it.</summary>
    public object? Find(in RawEvent raw)
    {
        // Nearly always the same few names: a text of each is made once.
        Span<char> name = stackalloc char[256];
        return
            raw.Type.Length > name.Length
            || !_byName.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name[..Encoding.UTF8.GetChars(raw.Type, name)], out var type)
            ? null
            : JsonSerializer.Deserialize(raw.Data, type.Json) ?? throw new InvalidDataException("An event has no data.");
    }

    /// <summary>The stored name of a .NET type: <c>CreditsSpent</c> becomes <c>credits_spent</c>.</summary>
    public static string SnakeCase(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var text = new StringBuilder(name.Length + 8);
        foreach (var c in name)
        {
            if (char.IsAsciiLetterUpper(c) && text.Length > 0)
                text.Append('_');
            text.Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }
}

/// <summary>A stream holds an event that this build does not know: version skew, not corruption.</summary>
public sealed class UnknownEventTypeException(string streamId, long version, string type)
    : Exception(
        $"Stream {streamId} holds an event '{type}' at version {version} that this server does not know. A newer server has written it; upgrade this one."
    );
