using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Gateway.Calls;

/// <summary>A call whose hold is placed and has not ended.</summary>
internal sealed class LiveCall
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _expiresAt;

    /// <summary>Of the fact that placed its hold.</summary>
    /// <param name="account">Whose call it is.</param>
    /// <param name="placed">The fact.</param>
    /// <param name="card">The rate card that it was placed under.</param>
    /// <param name="models">The models that may serve it, in order.</param>
    /// <param name="actor">Who called, as events name them.</param>
    /// <param name="requestId">The request.</param>
    public LiveCall(AccountId account, in Fact placed, RateCard card, IReadOnlyList<PricedModel> models, string actor, string requestId)
    {
        (Account, Id, Hold, Card, Models) = (account, new(placed.Id), (HoldPlaced)placed.Event, card, models);
        (Actor, RequestId, PlacedAt) = (actor, requestId, placed.At);
        _expiresAt = Hold.ExpiresAt.UtcTicks;
    }

    public AccountId Account { get; }

    public HoldId Id { get; }

    public HoldPlaced Hold { get; }

    public RateCard Card { get; }

    public IReadOnlyList<PricedModel> Models { get; }

    /// <summary>When its hold was placed: when the answer was begun, as OpenAI's protocol tells it.</summary>
    public DateTimeOffset PlacedAt { get; }

    public string Actor { get; }

    public string RequestId { get; }

    /// <summary>The id of its charge, whether it is charged yet or not: the end of its hold.</summary>
    public SpendId Spend => new(EventIds.HoldEnd(Account, Id));

    /// <summary>The id of the hold that the same request would get once more; null where it has no name.</summary>
    public Guid? Successor { get; init; }

    /// <summary>When its hold lapses, as far as it was extended.</summary>
    public DateTimeOffset ExpiresAt
    {
        get => new(Interlocked.Read(ref _expiresAt), TimeSpan.Zero);
        set => Interlocked.Exchange(ref _expiresAt, value.UtcTicks);
    }

    /// <summary>Ends when the call has ended, charged or not.</summary>
    public Task Done => _done.Task;

    /// <summary>Says that it has ended.</summary>
    public void End() => _done.TrySetResult();
}

/// <summary>What a call was charged.</summary>
/// <param name="Spend">The charge.</param>
/// <param name="Charged">How much.</param>
/// <param name="Payer">The pocket that paid last; null where nothing was to be paid.</param>
/// <param name="Scope">The provider/model whose packs paid; null where something else did.</param>
/// <param name="OfQuota">Whether the subscription's quota paid.</param>
/// <param name="Account">The account right after it.</param>
/// <param name="At">When.</param>
internal sealed record CallCharge(
    SpendId Spend,
    Amount Charged,
    PocketId? Payer,
    string? Scope,
    bool OfQuota,
    Account Account,
    DateTimeOffset At
);
