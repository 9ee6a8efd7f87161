using System.Collections.Immutable;
using Ledger.Domain.Money;

namespace Ledger.Domain.Journal;

/// <summary>Between which two accounts of the books, and in which unit.</summary>
/// <param name="Debit">Whose debit.</param>
/// <param name="Credit">Whose credit.</param>
/// <param name="Unit">In what.</param>
public readonly record struct Move(LedgerAccount Debit, LedgerAccount Credit, Unit Unit);

/// <summary>How much in all.</summary>
/// <param name="Parts">In the smallest parts of the unit.</param>
/// <param name="Worth">What somebody paid for it.</param>
public readonly record struct Sum(Int128 Parts, Worth Worth)
{
    /// <summary>Whether there is anything.</summary>
    public bool IsZero => Parts == 0 && Worth.Zeptos == 0;

    /// <summary>The sum of both.</summary>
    public Sum Plus(Sum other) => new(Parts + other.Parts, Worth + other.Worth);

    /// <summary>The same, the other way round.</summary>
    public Sum Opposite() => new(-Parts, -Worth);
}

/// <summary>Everything that was moved, by the two accounts of the books between which it was.</summary>
/// <param name="Moves">The sums.</param>
public sealed record Totals(ImmutableDictionary<Move, Sum> Moves)
{
    /// <summary>Nothing was.</summary>
    public static Totals None { get; } = new(ImmutableDictionary<Move, Sum>.Empty);

    /// <summary>With one entry more.</summary>
    public Totals Plus(Entry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var moves = Moves;
        foreach (var transfer in entry.Transfers)
            moves = Added(moves, new(transfer.Debit, transfer.Credit, transfer.Amount.Unit), new(transfer.Amount.Parts, transfer.Worth));
        return new(moves);
    }

    /// <summary>With a sum more.</summary>
    public Totals Plus(Move move, Sum sum) => new(Added(Moves, move, sum));

    /// <summary>What was moved since others were taken.</summary>
    public Totals Since(Totals earlier)
    {
        ArgumentNullException.ThrowIfNull(earlier);
        var moves = Moves;
        foreach (var (move, sum) in earlier.Moves)
            moves = Added(moves, move, sum.Opposite());
        return new(moves);
    }

    /// <summary>The balance of every account of the books in every unit that it was moved in: debits less credits.</summary>
    public IReadOnlyDictionary<(LedgerAccount Account, Unit Unit), Sum> Balances()
    {
        var balances = new Dictionary<(LedgerAccount, Unit), Sum>();
        foreach (var (move, sum) in Moves)
        {
            balances[(move.Debit, move.Unit)] = balances.GetValueOrDefault((move.Debit, move.Unit)).Plus(sum);
            balances[(move.Credit, move.Unit)] = balances.GetValueOrDefault((move.Credit, move.Unit)).Plus(sum.Opposite());
        }

        return balances;
    }

    private static ImmutableDictionary<Move, Sum> Added(ImmutableDictionary<Move, Sum> moves, Move move, Sum sum)
    {
        var after = moves.GetValueOrDefault(move).Plus(sum);
        return after.IsZero ? moves.Remove(move) : moves.SetItem(move, after);
    }
}
