using System.Collections.Immutable;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;

namespace Ledger.Domain.Journal;

/// <summary>What goes from one account of the books to another. Both sides are one number, so that no entry can be out of balance.</summary>
/// <param name="Debit">Whose debit it is: what an asset or an expense gains, what a liability or an income loses.</param>
/// <param name="Credit">Whose credit it is.</param>
/// <param name="Amount">How much; positive.</param>
/// <param name="Worth">What somebody paid for it.</param>
public readonly record struct Transfer(LedgerAccount Debit, LedgerAccount Credit, Amount Amount, Worth Worth);

/// <summary>One side of a transfer.</summary>
/// <param name="Account">The account of the books.</param>
/// <param name="Amount">How much: positive for a debit, negative for a credit.</param>
/// <param name="Worth">What somebody paid for it, with the same sign.</param>
public readonly record struct Posting(LedgerAccount Account, Amount Amount, Worth Worth);

/// <summary>What one event of an account moved in the books; nothing where it is a memo only.</summary>
/// <param name="Fact">The event.</param>
/// <param name="BookedAt">When it counts: when it was recorded; what lapsed counts when it lapsed, however late that was noticed.</param>
/// <param name="Transfers">What it moved.</param>
/// <param name="Tokens">A memo: how many tokens of a subscription's quota it used; null where none.</param>
public sealed record Entry(Fact Fact, DateTimeOffset BookedAt, ImmutableArray<Transfer> Transfers, long? Tokens = null)
{
    /// <summary>Whether there is anything to say.</summary>
    public bool IsEmpty => Transfers.IsEmpty && Tokens is null;

    /// <summary>The postings: for each account of the books and unit one, debits first, in the order in which they come up.</summary>
    public ImmutableArray<Posting> Postings
    {
        get
        {
            var sums = new List<Posting>();
            foreach (var transfer in Transfers)
            {
                Add(new(transfer.Debit, transfer.Amount, transfer.Worth));
                Add(new(transfer.Credit, Amount.Zero(transfer.Amount.Unit) - transfer.Amount, -transfer.Worth));
            }

            return [.. sums.Where(sum => sum.Amount.Parts > 0), .. sums.Where(sum => sum.Amount.Parts < 0)];

            void Add(Posting posting)
            {
                var at = sums.FindIndex(sum => sum.Account == posting.Account && sum.Amount.Unit == posting.Amount.Unit);
                if (at < 0)
                    sums.Add(posting);
                else
                    sums[at] = new(posting.Account, sums[at].Amount + posting.Amount, sums[at].Worth + posting.Worth);
            }
        }
    }
}

/// <summary>From facts to postings.</summary>
public static class Postings
{
    /// <summary>The postings of a fact: zero in sum for each unit, and in worth.</summary>
    /// <param name="before">The account as it was before.</param>
    /// <param name="fact">The fact.</param>
    /// <param name="reversed">What it reverses, where it is a reversal and that is at hand: it knows the model of a call.</param>
    public static ImmutableArray<Posting> Of(Account before, in Fact fact, AccountEvent? reversed = null) =>
        Books.Of(before).Post(fact, reversed).Postings;
}
