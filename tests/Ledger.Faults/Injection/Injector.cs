using System.Collections.Concurrent;
using Ledger.Faults.Load;
using Ledger.Faults.Machine;
using Ledger.Faults.Plans;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Faults.Injection;

/// <summary>Lets the faults of a plan strike, each at its moment, and takes each of them back.</summary>
internal sealed class Injector(Plan plan, World world, FaultCluster cluster, string database, Journal journal) : IDisposable
{
    private static readonly TimeSpan LongestStep = TimeSpan.FromSeconds(2);

    // What needs PostgreSQL as it is, and what would be done twice to one server, comes one after the other.
    private readonly SemaphoreSlim _cluster = new(1, 1);
    private readonly SemaphoreSlim[] _nodes = [.. world.Nodes.Select(_ => new SemaphoreSlim(1, 1))];
    private readonly ConcurrentQueue<string> _findings = new();
    private readonly ConcurrentQueue<FaultKind> _struck = new();

    /// <summary>What was wrong while a fault lasted.</summary>
    public IEnumerable<string> Findings => _findings;

    /// <summary>What has struck.</summary>
    public IEnumerable<FaultKind> Struck => _struck;

    /// <summary>Waits for each fault's moment and lets it strike; returns when all are over.</summary>
    public Task RunAsync(CancellationToken ct) => Task.WhenAll(plan.Faults.Select(fault => Task.Run(() => RunAsync(fault, ct), ct)));

    public void Dispose()
    {
        _cluster.Dispose();
        foreach (var node in _nodes)
            node.Dispose();
    }

    private async Task RunAsync(PlannedFault fault, CancellationToken ct)
    {
        await journal.ReachAsync(fault.After);
        var node = world.Nodes[fault.Server];
        var gate = fault.Kind switch
        {
            FaultKind.ServerKilled or FaultKind.ServerStopped or FaultKind.ServerRestarted => _nodes[fault.Server],
            FaultKind.DatabaseCrashed
            or FaultKind.BackendKilled
            or FaultKind.BackendTerminated
            or FaultKind.BackendStopped
            or FaultKind.DatabaseStopped
            or FaultKind.TableDiskFull
            or FaultKind.LogDiskFull
            or FaultKind.LogDiskStalled => _cluster,
            _ => null,
        };
        if (gate is not null)
            await gate.WaitAsync(ct);
        try
        {
            await StrikeAsync(fault, node, ct);
            _struck.Enqueue(fault.Kind);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            _findings.Enqueue($"{fault.Kind} could not be injected or taken back: {e}");
        }
        finally
        {
            gate?.Release();
        }
    }

    private async Task StrikeAsync(PlannedFault fault, Node node, CancellationToken ct)
    {
        switch (fault.Kind)
        {
            case FaultKind.ServerKilled:
                await node.KillAsync();
                await Task.Delay(fault.For, ct);
                await node.StartAsync();
                break;

            case FaultKind.ServerStopped:
                await node.SignalAsync("STOP");
                await UndoAsync(fault.For, () => node.SignalAsync("CONT"));
                break;

            case FaultKind.ServerRestarted:
                await node.StopAsync();
                await Task.Delay(fault.For, ct);
                await node.StartAsync();
                break;

            case FaultKind.DatabaseCrashed:
                await cluster.CrashAsync();
                await UndoAsync(fault.For, () => cluster.StartAsync(CancellationToken.None));
                break;

            case FaultKind.BackendKilled:
                if (await AWriterAsync(fault, ct) is { } killed)
                {
                    await SignalAsync("KILL", killed);
                    await cluster.ReadyAsync(ct);
                }

                break;

            case FaultKind.BackendTerminated:
                if (await AWriterAsync(fault, ct) is { } ended)
                {
                    // What pg_terminate_backend does, but without a connection, which another fault may have taken away.
                    await SignalAsync("TERM", ended);
                }

                break;

            case FaultKind.BackendStopped:
                if (await AWriterAsync(fault, ct) is { } stopped)
                {
                    await SignalAsync("STOP", stopped);
                    await UndoAsync(fault.For, () => SignalAsync("CONT", stopped));
                }

                break;

            case FaultKind.DatabaseStopped:
                var processes = cluster.Processes();
                await SignalAsync("STOP", [.. processes]);
                await UndoAsync(fault.For, () => SignalAsync("CONT", [.. processes]));
                break;

            case FaultKind.ConnectionsCut:
                node.Proxy.Cut();
                break;

            case FaultKind.CutMidway:
                node.Proxy.CutAfter(fault.Amount, fault.Upwards);
                break;

            case FaultKind.AnswerSwallowed:
                _ = node.Proxy.SwallowAnswer();
                break;

            case FaultKind.ConnectionsRefused:
                node.Proxy.Refuse(true);
                await UndoAsync(fault.For, () => node.Proxy.Refuse(false));
                break;

            case FaultKind.TrafficStalled:
                node.Proxy.Stall(true);
                await UndoAsync(fault.For, () => node.Proxy.Stall(false));
                break;

            case FaultKind.TrafficDelayed:
                node.Proxy.Delay(TimeSpan.FromMilliseconds(fault.Amount));
                await LastAsync(fault.Commands, ct);
                node.Proxy.Delay(TimeSpan.Zero);
                break;

            case FaultKind.TableDiskFull:
                await cluster.Tables.FillAsync();
                await UndoAsync(fault.For, cluster.Tables.Empty);
                await cluster.ReadyAsync(CancellationToken.None);
                break;

            case FaultKind.LogDiskFull:
                await cluster.Log.FillAsync();
                await cluster.EatLogAsync(ct);
                await UndoAsync(fault.For, cluster.Log.Empty);
                await cluster.ReadyAsync(CancellationToken.None);
                break;

            case FaultKind.LogDiskStalled:
                await cluster.Log.FreezeAsync();
                await UndoAsync(fault.For, cluster.Log.ThawAsync);
                break;

            case FaultKind.ClockStepped:
                var by = TimeSpan.FromSeconds(fault.Amount);
                lock (node)
                    node.Clock!.Offset += by;
                await IsNotReadyAsync(node, ct);
                await LastAsync(fault.Commands, ct);
                lock (node)
                    node.Clock.Offset -= by;
                break;
        }
    }

    /// <summary>
    /// Waits for so many answers more; not without end, since a server that starts while its clock is off rightly serves nothing.
    /// </summary>
    private async Task LastAsync(int answers, CancellationToken ct) =>
        await Task.WhenAny(journal.ReachAsync(journal.Answered + answers), Task.Delay(LongestStep, ct));

    /// <summary>A clock that is off means not ready, whatever else is the matter.</summary>
    private async Task IsNotReadyAsync(Node node, CancellationToken ct)
    {
        var before = node.Clock!.Offset;
        var (status, text) = await world.ReadyAsync(node, ct);
        if (status == 200 && before.Duration() > TimeSpan.FromSeconds(1.5) && node.Clock.Offset == before)
            _findings.Enqueue($"A server whose clock was {before.TotalSeconds} s off said that it was ready: {text}");
    }

    private async Task<int?> AWriterAsync(PlannedFault fault, CancellationToken ct)
    {
        try
        {
            var writers = await cluster.WritersAsync(database, ct);
            return writers.Count == 0 ? null : writers[fault.After % writers.Count];
        }
        catch (NpgsqlException)
        {
            // Another fault has taken the database away, and every writer's backend with it.
            return null;
        }
    }

    private static async Task SignalAsync(string name, params IReadOnlyList<int> processes)
    {
        foreach (var process in processes)
        {
            try
            {
                await Signal.SendAsync(process, name);
            }
            catch (InvalidOperationException)
            {
                // Gone by itself.
            }
        }
    }

    private static Task UndoAsync(TimeSpan after, Action undo) =>
        UndoAsync(
            after,
            () =>
            {
                undo();
                return Task.CompletedTask;
            }
        );

    /// <summary>Takes a fault back after its time; never called off, or the next run would find it.</summary>
    private static async Task UndoAsync(TimeSpan after, Func<Task> undo)
    {
        await Task.Delay(after, CancellationToken.None);
        await undo();
    }
}
