using System.Security.Cryptography;
using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Projections.Metering;
using Microsoft.AspNetCore.DataProtection;
using Npgsql;

namespace Ledger.Api.Gateway.Calls;

/// <summary>Keeps the answers of named calls for a day, encrypted, so that a repeat gets the first one again.</summary>
internal sealed partial class AnswerKeeper(
    KeptAnswers answers,
    IDataProtectionProvider protection,
    LedgerService ledger,
    TimeProvider time,
    ILogger<AnswerKeeper> logger
) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    // From a charge's commit to its answer's is one trip to the database.
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    private readonly IDataProtector _protector = protection.CreateProtector("Ledger.KeptAnswers");

    /// <summary>Keeps an answer. That it could not be kept is no reason to withhold it: it is charged already.</summary>
    public async Task KeepAsync(AccountId account, HoldId hold, byte[] answer)
    {
        try
        {
            await answers.KeepAsync(account, hold, Protector(account, hold).Protect(answer), time.GetUtcNow(), CancellationToken.None);
        }
        catch (Exception fault)
        {
            LogNotKept(logger, hold, fault);
        }
    }

    /// <summary>The answer that was kept; null where there is none, or none any longer.</summary>
    /// <param name="account">Whose it is.</param>
    /// <param name="hold">Of which call.</param>
    /// <param name="chargedAt">When the call was charged. Another node, which charged it a moment ago, may be about to keep the answer: that is waited for.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<byte[]?> FindAsync(AccountId account, HoldId hold, DateTimeOffset chargedAt, CancellationToken ct)
    {
        var since = time.GetTimestamp();
        byte[]? kept;
        while ((kept = await answers.FindAsync(account, hold, time.GetUtcNow(), ct)) is null)
        {
            if (time.GetUtcNow() - chargedAt > Fresh || time.GetElapsedTime(since) > Fresh)
                return null;
            await Task.Delay(Poll, time, ct);
        }

        try
        {
            return Protector(account, hold).Unprotect(kept);
        }
        catch (CryptographicException fault)
        {
            LogNotRead(logger, hold, fault);
            return null;
        }
    }

    /// <summary>Deletes what was kept for long enough.</summary>
    public Task<int> DeleteOldAsync(CancellationToken ct) => answers.DeleteOldAsync(time.GetUtcNow(), ct);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                if (!ledger.IsRunning)
                    continue;
                try
                {
                    await DeleteOldAsync(stoppingToken);
                }
                catch (NpgsqlException fault)
                {
                    LogNotDeleted(logger, fault);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    // Bound to its call, so that no row can stand in for another.
    private IDataProtector Protector(AccountId account, HoldId hold) => _protector.CreateProtector(account.Value, hold.ToString());

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The answer of {Hold} could not be kept; a repeat will be told that it was charged."
    )]
    private static partial void LogNotKept(ILogger logger, HoldId hold, Exception fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The answer kept for {Hold} cannot be read.")]
    private static partial void LogNotRead(ILogger logger, HoldId hold, Exception fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Old answers could not be deleted; tried again soon.")]
    private static partial void LogNotDeleted(ILogger logger, Exception fault);
}
