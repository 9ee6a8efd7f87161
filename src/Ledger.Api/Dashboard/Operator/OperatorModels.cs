namespace Ledger.Api.Dashboard.Operator;

/// <summary>The operator's key is asked for.</summary>
/// <param name="Form">The form as it was sent; blank where it was not.</param>
/// <param name="Next">Where to go on afterwards.</param>
/// <param name="Problem">What is wrong; null for nothing.</param>
public sealed record OperatorSignInModel(FormPost Form, string Next, string? Problem = null);

/// <summary>What the operator sees first.</summary>
/// <param name="CardVersion">The version of the rate card in force; null where none is.</param>
/// <param name="CardSince">Since when it is.</param>
/// <param name="IsRunning">Whether the write path takes commands.</param>
/// <param name="NotReady">Why the server is not ready; null where it is.</param>
/// <param name="Provider">Who takes payments.</param>
public sealed record OperatorHomeModel(long? CardVersion, DateTimeOffset? CardSince, bool IsRunning, string? NotReady, string Provider);
