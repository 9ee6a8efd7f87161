namespace Ledger.EventStore.Transfer;

/// <summary>The log could not be exported, or an export could not be imported.</summary>
/// <param name="message">Why, and where: a file, a line.</param>
public sealed class TransferException(string message) : Exception(message);

/// <summary>How far an export or an import has come.</summary>
/// <param name="Stage">What is being done.</param>
/// <param name="Done">How much of it is.</param>
/// <param name="Total">How much there is.</param>
/// <param name="Unit">Of what.</param>
public readonly record struct TransferProgress(string Stage, long Done, long Total, string Unit);
