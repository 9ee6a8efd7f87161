using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Journal;
using Ledger.Projections.Usage;

namespace Ledger.Projections.Rebuild;

/// <summary>How far one account has come in a pass over the log, and what of it is not written yet.</summary>
internal sealed class FoldedAccount(string streamId)
{
    private readonly List<(KeyId Key, string Tool, string Model, UsageSums Sums)> _hour = [];
    private DateTimeOffset _at;

    /// <summary>Its stream.</summary>
    public string StreamId { get; } = streamId;

    /// <summary>Its state; that of an account without events where the pass has met none.</summary>
    public Account Account { get; set; } = Account.Empty(new(streamId["account-".Length..]));

    /// <summary>The hash of its last event, where the pass looks at hashes.</summary>
    public Vector256<byte> Hash { get; set; }

    /// <summary>The position of its last event.</summary>
    public long Position { get; set; }

    /// <summary>What its postings depend on, where the pass books.</summary>
    public Books Books { get; set; } = Books.Empty;

    /// <summary>
    /// Whether its next event, as the log has it, does not simply follow: then it is left where it is, for somebody who goes over the stream event by event and can say why.
    /// Read by one thread ahead of the one that writes it.
    /// </summary>
    public volatile bool IsLeft;

    /// <summary>The versions of which state checkpoints are kept, the next one last.</summary>
    public Stack<long>? Kept { get; set; }

    /// <summary>Adds what an event used to the hour that is under way; what was before is done, since times never fall along a stream.</summary>
    public void Use(in Fact fact, in UsageDelta delta, List<UsageRow> done)
    {
        if (_hour.Count > 0 && (fact.At.UtcTicks / TimeSpan.TicksPerHour) != (_at.UtcTicks / TimeSpan.TicksPerHour))
            EndHour(done);
        _at = fact.At;
        foreach (ref var row in CollectionsMarshal.AsSpan(_hour))
        {
            if (row.Tool != delta.Tool || row.Key != delta.Key || row.Model != delta.Model)
                continue;
            row.Sums = row.Sums.Plus(delta);
            return;
        }

        _hour.Add((delta.Key, delta.Tool, delta.Model, default(UsageSums).Plus(delta)));
    }

    /// <summary>Hands over the hour that is under way.</summary>
    public void EndHour(List<UsageRow> done)
    {
        foreach (var (key, tool, model, sums) in _hour)
            done.Add(new(Account.Id, UsageRows.HourOf(_at), key, tool, model, sums));
        _hour.Clear();
    }
}

/// <summary>One row of usage.</summary>
internal readonly record struct UsageRow(AccountId Account, DateTimeOffset Hour, KeyId Key, string Tool, string Model, UsageSums Sums);
