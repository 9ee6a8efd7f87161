using System.Collections.Concurrent;
using System.Globalization;
using Ledger.Testing;

namespace Ledger.Faults.Machine;

/// <summary>One server of a run, however often it is started again, behind a proxy of its own.</summary>
internal abstract class Node(Proxy proxy, IReadOnlyDictionary<string, string> settings) : IAsyncDisposable
{
    /// <summary>The operator's key of every server of every run.</summary>
    public const string AdminKey = "ledger_admin_of_the_fault_runner";

    /// <summary>What stands between it and PostgreSQL.</summary>
    public Proxy Proxy => proxy;

    /// <summary>Its clock, where that can be stepped.</summary>
    public virtual SteppedClock? Clock => null;

    /// <summary>Where it listens now; null while it does not run.</summary>
    public Uri? Address { get; protected set; }

    /// <summary>Its configuration.</summary>
    protected IReadOnlyDictionary<string, string> Settings => settings;

    /// <summary>Starts it, without waiting until it is ready.</summary>
    public abstract Task StartAsync();

    /// <summary>Asks it to stop, and waits until it has.</summary>
    public abstract Task StopAsync();

    /// <summary>Kills its process.</summary>
    public virtual Task KillAsync() => throw new NotSupportedException("It runs in this process.");

    /// <summary>Sends its process a signal.</summary>
    public virtual Task SignalAsync(string name) => throw new NotSupportedException("It runs in this process.");

    /// <summary>The end of its log.</summary>
    public abstract string LogTail(int lines);

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await proxy.DisposeAsync();
    }

    /// <summary>The configuration of a server of a run.</summary>
    public static Dictionary<string, string> SettingsOf(Plans.Plan plan) =>
        new()
        {
            ["Ledger:AdminKey"] = AdminKey,
            ["Ledger:SweepInterval"] = "00:00:00.2",
            ["Ledger:Lanes"] = plan.Tuning.Lanes.ToString(CultureInfo.InvariantCulture),
            ["Ledger:MaxBatch"] = plan.Tuning.MaxBatch.ToString(CultureInfo.InvariantCulture),
            ["Ledger:CachedAccounts"] = plan.Tuning.CachedAccounts.ToString(CultureInfo.InvariantCulture),
            ["Ledger:RecentReferences"] = plan.Tuning.RecentReferences.ToString(CultureInfo.InvariantCulture),
        };
}

/// <summary>The built server as a process of its own.</summary>
internal sealed class ProcessNode(Proxy proxy, IReadOnlyDictionary<string, string> settings, string database, string folder)
    : Node(proxy, settings)
{
    private readonly ConcurrentQueue<string> _earlier = new();
    private LedgerProcess? _process;

    public override async Task StartAsync()
    {
        _process = LedgerProcess.Launch(folder, database, Settings);
        await _process.ListensAsync();
        Address = _process.Http.BaseAddress;
    }

    public override async Task KillAsync()
    {
        Address = null;
        await _process!.KillAsync();
        await ForgetAsync();
    }

    public override async Task StopAsync()
    {
        Address = null;
        await ForgetAsync();
    }

    public override Task SignalAsync(string name) => Signal.SendAsync(_process!.ProcessId, name);

    public override string LogTail(int lines) =>
        string.Join('\n', string.Concat(_earlier.Append(_process?.Output ?? "")).Split('\n').TakeLast(lines));

    private async Task ForgetAsync()
    {
        if (_process is not { } process)
            return;
        _process = null;
        await process.DisposeAsync();
        _earlier.Enqueue(process.Output);
        _earlier.Enqueue("---- started again ----\n");
    }
}
