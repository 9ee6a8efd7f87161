using System.Security.Cryptography;
using Ledger.EventStore.Checkpoints;
using Ledger.Projections.Audit;
using Ledger.Projections.Rebuild;

namespace Ledger.Api.Audit;

/// <summary>One audit of this node: under way, or the last that ended.</summary>
/// <param name="StartedAt">When it began.</param>
/// <param name="Progress">How far it has come.</param>
/// <param name="Report">The signed report; null while it runs, and where it failed.</param>
/// <param name="Failure">Why it failed; null where it did not.</param>
internal sealed record AuditState(DateTimeOffset StartedAt, AuditProgress Progress, byte[]? Report, string? Failure)
{
    /// <summary>Whether it is under way.</summary>
    public bool IsRunning => Report is null && Failure is null;
}

/// <summary>Runs audits for the operator, one at a time; whoever asks while one runs is told of that one.</summary>
internal sealed partial class AuditDesk(
    Auditor auditor,
    CheckpointKeyRing keys,
    CheckpointFile file,
    TimeProvider time,
    IHostApplicationLifetime life,
    ILogger<AuditDesk> logger
)
{
    private readonly Lock _lock = new();
    private volatile AuditState? _state;
    private Task _run = Task.CompletedTask;

    /// <summary>The audit under way, or the last; null where there was none yet.</summary>
    public AuditState? State => _state;

    /// <summary>Begins one unless one runs, and waits for it.</summary>
    /// <param name="patience">How long at most.</param>
    /// <param name="ct">Stops waiting; the audit goes on.</param>
    public async Task<AuditState> StartAsync(TimeSpan patience, CancellationToken ct)
    {
        Task run;
        lock (_lock)
        {
            if (_state is not { IsRunning: true })
            {
                _state = new(time.GetUtcNow(), default, null, null);
                _run = Task.Run(RunAsync, CancellationToken.None);
            }

            run = _run;
        }

        try
        {
            await run.WaitAsync(patience, TimeProvider.System, ct);
        }
        catch (TimeoutException)
        {
            // It goes on.
        }

        return _state!;
    }

    /// <summary>A report, signed where there is a key that can.</summary>
    public static async Task<byte[]> SignAsync(AuditReport report, CheckpointKeyRing keys, CancellationToken ct)
    {
        try
        {
            using var signer = await keys.OpenAsync(ct);
            return AuditText.ToJson(report, signer);
        }
        catch (CryptographicException)
        {
            // What protects the key is gone; an audit without a signature is better than none.
            return AuditText.ToJson(report, null);
        }
    }

    private async Task RunAsync()
    {
        var ct = life.ApplicationStopping;
        try
        {
            var report = await auditor.RunAsync(file.Exists ? file : null, new Told(this), ct);
            _state = _state! with { Report = await SignAsync(report, keys, ct) };
        }
        catch (RebuildRefusedException refused)
        {
            _state = _state! with { Failure = refused.Message };
        }
        catch (Exception fault)
        {
            LogFailed(logger, fault);
            _state = _state! with { Failure = "The audit could not be carried through; the server's log says why." };
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "An audit could not be carried through.")]
    private static partial void LogFailed(ILogger logger, Exception fault);

    private sealed class Told(AuditDesk desk) : IProgress<AuditProgress>
    {
        public void Report(AuditProgress value) => desk._state = desk._state! with { Progress = value };
    }
}
