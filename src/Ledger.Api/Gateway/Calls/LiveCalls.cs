using System.Collections.Concurrent;
using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Gateway.Calls;

/// <summary>
/// The calls under way on this node: their holds are extended while they live, whoever repeats one waits for it here, and a server that stops lets them
/// end, or ends them and charges what was delivered.
/// </summary>
internal sealed partial class LiveCalls(
    LedgerService ledger,
    GatewayOptions options,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<LiveCalls> logger
) : BackgroundService
{
    private readonly ConcurrentDictionary<HoldId, LiveCall> _calls = new();
    private readonly CancellationTokenSource _cut = new();
    private CancellationTokenRegistration _stopping;
    private int _entered;
    private long _bodies;

    /// <summary>Is cancelled when calls must end since the server does.</summary>
    public CancellationToken Cut => _cut.Token;

    /// <summary>How many there are.</summary>
    public int Count => _calls.Count;

    /// <summary>Lets a request in, which may become a call, unless there are as many as may be.</summary>
    /// <returns>Whether it is in; then <see cref="Leave"/> follows.</returns>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _entered) <= options.MaxCalls)
            return true;
        Leave();
        return false;
    }

    /// <summary>The request is at its end.</summary>
    public void Leave() => Interlocked.Decrement(ref _entered);

    /// <summary>The bodies that are kept for calls whose answers have not begun, in bytes.</summary>
    public long BodyBytes => Interlocked.Read(ref _bodies);

    /// <summary>Makes room for a body, unless there is as much as may be.</summary>
    /// <param name="bytes">How long it may be.</param>
    /// <returns>The room, which is to be disposed of; null where there is none.</returns>
    public BodyRoom? TryMakeRoom(long bytes)
    {
        if (Interlocked.Add(ref _bodies, bytes) <= options.MaxBodyBytes)
            return new(this, bytes);
        Interlocked.Add(ref _bodies, -bytes);
        return null;
    }

    /// <summary>Takes a call in.</summary>
    public void Add(LiveCall call) => _calls[call.Id] = call;

    /// <summary>Lets a call go that has ended.</summary>
    public void End(LiveCall call)
    {
        _calls.TryRemove(call.Id, out _);
        call.End();
    }

    /// <summary>A call under way on this node.</summary>
    public LiveCall? Find(HoldId hold) => _calls.GetValueOrDefault(hold);

    /// <summary>Extends the holds that last less than half their lifetime.</summary>
    public Task ExtendAsync()
    {
        var now = time.GetUtcNow();
        return Task.WhenAll(_calls.Values.Where(call => call.ExpiresAt - now < options.HoldLifetime / 2).Select(ExtendAsync).ToList());
    }

    private async Task ExtendAsync(LiveCall call)
    {
        try
        {
            var until = time.GetUtcNow() + options.HoldLifetime;
            var verdict = await ledger.ExecuteAsync(new ExtendHold(call.Account, call.Id, until), Caller.System(call.RequestId));
            if (verdict.Refusal is null)
                call.ExpiresAt = until;
        }
        catch (LedgerUnavailableException)
        {
            // Looked at again soon; and where the hold lapses meanwhile, its call is settled late.
        }
        catch (Exception fault)
        {
            LogFault(logger, call.Id, fault);
        }
    }

    /// <inheritdoc/>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        // The web server waits for its requests before anything else is stopped: calls that would keep it are cut before it loses patience.
        _stopping = lifetime.ApplicationStopping.Register(() => _cut.CancelAfter(options.Drain));
        return base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await _cut.CancelAsync();

        // The ledger stops after this: what was delivered is charged before. Whatever does not end within that time, its hold's expiry ends.
        var open = Task.WhenAll(_calls.Values.Select(call => call.Done));
        if (await Task.WhenAny(open, Task.Delay(TimeSpan.FromSeconds(10), CancellationToken.None)) != open)
            LogLeft(logger, _calls.Count);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _stopping.Dispose();
        _cut.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.HoldInterval == TimeSpan.Zero)
            return;
        using var timer = new PeriodicTimer(options.HoldInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await ExtendAsync();
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    /// <summary>Room for one body.</summary>
    internal sealed class BodyRoom(LiveCalls calls, long bytes) : IDisposable
    {
        private long _bytes = bytes;

        /// <summary>Gives back what the body does not take.</summary>
        public void Shrink(long length) => Keep(Math.Min(length, Interlocked.Read(ref _bytes)));

        /// <summary>Gives it back; also a second time.</summary>
        public void Dispose() => Keep(0);

        private void Keep(long bytes) => Interlocked.Add(ref calls._bodies, bytes - Interlocked.Exchange(ref _bytes, bytes));
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The hold {Hold} could not be extended.")]
    private static partial void LogFault(ILogger logger, HoldId hold, Exception fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} calls had not ended when the server stopped; their holds lapse.")]
    private static partial void LogLeft(ILogger logger, int count);
}
