using System.Text.Encodings.Web;
using System.Text.Json;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.RateCards;
using Ledger.EventStore;

namespace Ledger.Projections;

/// <summary>The bridge between the domain's events and the log's rows.</summary>
public static class LedgerEvents
{
    /// <summary>Every event of both kinds of stream. Text is escaped only where JSON demands it: the log keeps bodies small.</summary>
    public static EventTypes Types { get; } =
        new(
            new EventJson(new JsonSerializerOptions(EventJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }),
            typeof(AccountEvent)
                .Assembly.GetTypes()
                .Where(type => !type.IsAbstract && (type.IsSubclassOf(typeof(AccountEvent)) || type.IsSubclassOf(typeof(RateCardEvent))))
        );

    /// <summary>A stored event of an account's stream as a fact.</summary>
    /// <exception cref="UnknownEventTypeException">A newer server wrote it.</exception>
    /// <exception cref="InvalidDataException">Its members are not those of its type.</exception>
    public static Fact ToFact(StoredEvent stored)
    {
        ArgumentNullException.ThrowIfNull(stored);
        try
        {
            return new(stored.Id, stored.Version, stored.At, (AccountEvent)Types.Read(stored));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{stored.StreamId} version {stored.Version} cannot be read: {e.Message}", e);
        }
    }
}
