namespace Ledger.Api.Backup;

/// <summary>A backup could not be made, or not be restored.</summary>
/// <param name="message">Why, and what to do.</param>
public sealed class BackupException(string message) : Exception(message);
