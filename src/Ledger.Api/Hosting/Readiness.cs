using System.Globalization;
using Ledger.Api.Application;
using Ledger.EventStore;
using Npgsql;

namespace Ledger.Api.Hosting;

/// <summary>Whether this node may serve, and if not, why.</summary>
/// <param name="log">The log.</param>
/// <param name="database">Its database.</param>
/// <param name="ledger">The write path.</param>
/// <param name="metrics">Told how far the clock is off.</param>
/// <param name="time">The clock.</param>
public sealed class Readiness(IEventLog log, NpgsqlDataSource database, LedgerService ledger, LedgerMetrics metrics, TimeProvider time)
{
    /// <summary>How far the node's clock may be off the database's.</summary>
    public static readonly TimeSpan MaxSkew = TimeSpan.FromSeconds(1);

    private const string ReadOnly = "The database is read-only.";

    // Whoever asks wants to know soon, also where the database neither answers nor refuses, such as on a stuck machine.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private volatile Task<string?> _check = Task.FromResult<string?>(null);
    private volatile string? _starting = "The server is starting.";

    /// <summary>Why the ledger is closed to everybody, as after a restore that was not checked yet; null where it is not.</summary>
    public Closure? Closure { get; internal set; }

    /// <summary>Says why start-up has not finished; null once it has.</summary>
    public void Report(string? reason) => _starting = reason;

    /// <summary>Why the node may not serve now; null where it may.</summary>
    public async Task<string?> CheckAsync(CancellationToken ct)
    {
        if (_starting is { } reason)
            return reason;

        // One look at a time, however many ask: one that is stuck cannot be called off, only left behind.
        var check = _check;
        if (check.IsCompleted)
            _check = check = CheckDatabaseAsync(CancellationToken.None);
        try
        {
            if (await check.WaitAsync(Patience, time, ct) is { } fault)
                return fault;
        }
        catch (TimeoutException) when (!check.IsCompleted)
        {
            return "The database does not answer.";
        }
        catch (Exception e) when (Why(e) is { } fault)
        {
            return fault;
        }

        return ledger.IsRunning ? null : "The writer has lost its connection and is reconnecting.";
    }

    /// <summary>Why a fault keeps the node from serving; null where it is none that an operator could mend.</summary>
    public static string? Why(Exception fault) =>
        fault switch
        {
            SchemaException or LedgerUnavailableException or StandbyAwayException => fault.Message,
            PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction } => ReadOnly,
            PostgresException { SqlState: ['2', '8', ..] or ['3', 'D', ..] } refused =>
                $"The database does not let this server in: {refused.MessageText} ({refused.SqlState}).",
            PostgresException refused when !Outage.Is(refused) =>
                $"The database refuses what this server needs: {refused.MessageText} ({refused.SqlState}).",
            UnknownEventTypeException =>
                "The log holds events that this server does not know: a newer one has written them. Upgrade this server.",
            _ => Outage.Is(fault) ? "The database is not reachable." : null,
        };

    /// <summary>Why the database may not be used; null where it may.</summary>
    public async Task<string?> CheckDatabaseAsync(CancellationToken ct)
    {
        if (await log.CheckSchemaAsync(ct) is { } fault)
            return fault;
        await using var command = database.CreateCommand("select clock_timestamp(), current_setting('transaction_read_only') = 'on'");
        var before = time.GetUtcNow();
        await using var row = await command.ExecuteReaderAsync(ct);
        await row.ReadAsync(ct);
        var after = time.GetUtcNow();
        var theirs = row.GetFieldValue<DateTimeOffset>(0);
        if (row.GetBoolean(1))
            return ReadOnly;

        // The database looked at its clock somewhere between our two looks at ours.
        var ahead =
            theirs < before ? before - theirs
            : theirs > after ? after - theirs
            : TimeSpan.Zero;
        metrics.ClockIsOff(ahead);
        var skew = ahead.Duration();
        return skew > MaxSkew
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"This node's clock is {skew.TotalSeconds:0.0} s off the database's; at most 1 s is allowed."
            )
            : null;
    }
}
