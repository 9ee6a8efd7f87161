using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Metering;
using Ledger.Projections.Refusals;
using Microsoft.Extensions.Options;

namespace Ledger.Api.Decisions;

/// <summary>On what a refusal was decided.</summary>
/// <param name="Version">The version of the account.</param>
/// <param name="At">The time.</param>
/// <param name="Card">The version of the rate card.</param>
public sealed record RefusedOn(long Version, DateTimeOffset At, long Card);

/// <summary>
/// What was refused since it was written down last: how often by account, key, code and minute, and of each key and code the newest in full. All of it in
/// bounded memory, so that a refusal costs a few lines in a dictionary, whatever the database does.
/// </summary>
/// <param name="options">The bounds.</param>
/// <param name="metrics">Told what the bounds cut off.</param>
public sealed class RefusalBook(IOptions<LedgerOptions> options, LedgerMetrics metrics)
{
    /// <summary>The most keys, codes and minutes that are counted between two writings, and the most samples.</summary>
    public const int Capacity = 20_000;

    /// <summary>The code of a request that came too soon after others.</summary>
    public const string RateLimited = "rate_limited";

    private static readonly string[] Codes = [.. Enum.GetValues<RejectionCode>().Select(LedgerMetrics.CodeName)];
    private readonly Lock _gate = new();
    private Dictionary<(AccountId Account, KeyId Key, string Code, long Minute), long> _counts = [];
    private Dictionary<(AccountId Account, KeyId Key, string Code), Queue<Refused>> _samples = [];
    private int _sampled;

    /// <summary>Whether there is anything to write down.</summary>
    public bool IsEmpty
    {
        get
        {
            lock (_gate)
                return _counts.Count == 0;
        }
    }

    /// <summary>Takes a refusal of the ledger, where it is one that somebody was told who may ask for it.</summary>
    internal void Take(Pending pending, Verdict verdict, Decision<AccountEvent>.Rejected refusal)
    {
        // What the server and its operator are refused is nothing to the account. And that a named call was charged already is answered, not refused.
        var command = pending.Command;
        if (command.By is not { } by || verdict.RefusedOn is not { } on || refusal.Code == RejectionCode.AccountNotFound)
            return;
        if (command is PlaceCallHold && refusal.Code == RejectionCode.HoldAlreadySettled)
            return;
        Keep(
            new(
                command.Account,
                pending.Caller.RequestId,
                command.Id,
                by.Key,
                Codes[(int)refusal.Code],
                AskedWork.KindOf(command),
                on,
                AskedWork.Of(command),
                refusal.Shortfall
            )
        );
    }

    /// <summary>Takes what was refused before there was a command: access, or too many requests.</summary>
    /// <param name="account">Whom, as it was known.</param>
    /// <param name="by">By what right it came.</param>
    /// <param name="requestId">In which request.</param>
    /// <param name="code">Why, in snake case.</param>
    /// <param name="now">When.</param>
    public void Take(Account account, in Credential by, string requestId, string code, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(account);
        if (account.Status == AccountStatus.Missing)
            return;
        var asked = code == RateLimited ? null : AskedWork.OfAccess(by);
        Keep(
            new(
                account.Id,
                requestId,
                EventIds.Request(account.Id, requestId),
                by.Key,
                code,
                AskedWork.Access,
                new(account.Version, now, 0),
                asked,
                null
            )
        );
    }

    /// <summary>The same for a refusal of the domain.</summary>
    public void Take(Account account, in Credential by, string requestId, RejectionCode code, DateTimeOffset now) =>
        Take(account, by, requestId, Codes[(int)code], now);

    /// <summary>Gives away what has gathered.</summary>
    internal (List<RefusalCount> Counts, List<RefusalSample> Samples) TakeAll()
    {
        Dictionary<(AccountId Account, KeyId Key, string Code, long Minute), long> counts;
        Dictionary<(AccountId Account, KeyId Key, string Code), Queue<Refused>> samples;
        lock (_gate)
        {
            (counts, samples) = (_counts, _samples);
            (_counts, _samples, _sampled) = ([], [], 0);
        }

        return (
            [
                .. counts.Select(count => new RefusalCount(
                    count.Key.Account,
                    count.Key.Key,
                    count.Key.Code,
                    DateTimeOffset.UnixEpoch.AddMinutes(count.Key.Minute),
                    count.Value
                )),
            ],
            [.. samples.Values.SelectMany(queue => queue).Select(refused => refused.ToSample())]
        );
    }

    private void Keep(Refused refused)
    {
        var (lostCount, lostSample) = (false, false);
        lock (_gate)
        {
            var minute = (refused.On.At - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMinute;
            var counted = (refused.Account, refused.Key, refused.Code, minute);
            if (_counts.TryGetValue(counted, out var count))
                _counts[counted] = count + 1;
            else if (_counts.Count < Capacity)
                _counts.Add(counted, 1);
            else
                lostCount = true;

            var group = (refused.Account, refused.Key, refused.Code);
            if (!_samples.TryGetValue(group, out var queue))
                _samples.Add(group, queue = []);
            if (queue.Count >= options.Value.RefusalSamples)
            {
                // An older one makes room: that is what a sample is, and no loss.
                queue.Dequeue();
                queue.Enqueue(refused);
            }
            else if (_sampled < Capacity)
            {
                queue.Enqueue(refused);
                _sampled++;
            }
            else
            {
                lostSample = true;
                if (queue.Count == 0)
                    _samples.Remove(group);
            }
        }

        if (lostCount)
            metrics.RefusalDropped("count");
        if (lostSample)
            metrics.RefusalDropped("sample");
    }

    private sealed record Refused(
        AccountId Account,
        string RequestId,
        Guid Command,
        KeyId Key,
        string Code,
        string Kind,
        RefusedOn On,
        AskedWork? Asked,
        Shortfall? Shortfall
    )
    {
        public RefusalSample ToSample() =>
            new(Account, RequestId, Command, Key, Code, Kind, On.At, On.Version, On.Card, Asked?.Write(), ShortfallText.Write(Shortfall));
    }
}
