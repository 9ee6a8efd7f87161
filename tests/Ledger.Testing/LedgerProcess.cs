using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Ledger.Api.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ledger.Testing;

/// <summary>The built server as a process of its own on a free port, for tests of what happens when it is killed, stopped, or loses its database.</summary>
public sealed partial class LedgerProcess : LedgerClient, IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output;
    private readonly Task<string> _address;

    private LedgerProcess(Process process, string dataFolder, StringBuilder output, Task<string> address, HttpClient http)
        : base(http) => (_process, DataFolder, _output, _address) = (process, dataFolder, output, address);

    /// <summary>Its process.</summary>
    public int ProcessId => _process.Id;

    /// <summary>Its data folder.</summary>
    public string DataFolder { get; }

    /// <summary>Whether it has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>Where it listens; known once it does.</summary>
    public string Address =>
        _address.IsCompletedSuccessfully ? _address.Result : throw new InvalidOperationException("It does not listen yet.");

    /// <summary>All that it has printed so far, errors included.</summary>
    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    /// <summary>What it wrote for newcomers; embedded mode only.</summary>
    public JsonElement Demo => JsonDocument.Parse(File.ReadAllText(Path.Combine(DataFolder, "demo.json"))).RootElement;

    /// <summary>Starts one and waits until it may be sent requests.</summary>
    /// <param name="dataFolder">Its data folder.</param>
    /// <param name="database">Its database; an embedded one where null.</param>
    /// <exception cref="InvalidOperationException">It ended instead; the message is what it printed.</exception>
    public static async Task<LedgerProcess> StartAsync(string dataFolder, string? database = null)
    {
        var server = Launch(dataFolder, database);
        try
        {
            await server.ListensAsync();
            await Eventually.IsSoAsync(async () => (await server.GetAsync("/health/ready")).Status == 200, () => server.Output);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts one without waiting for anything.</summary>
    /// <param name="dataFolder">Its data folder.</param>
    /// <param name="database">Its database; an embedded one where null.</param>
    /// <param name="settings">Configuration beside the usual, such as <c>Ledger:QueueCapacity</c>.</param>
    public static LedgerProcess Launch(string dataFolder, string? database = null, IReadOnlyDictionary<string, string>? settings = null)
    {
        var host = Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
        var start = new ProcessStartInfo(host, [typeof(Program).Assembly.Location, "--urls", "http://127.0.0.1:0"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Directory.GetParent(dataFolder)!.FullName,
        };

        // Only what the test says; nothing of the shell that runs it.
        foreach (
            var name in start
                .Environment.Keys.Where(name =>
                    name.Contains("__", StringComparison.Ordinal) || name.StartsWith("ASPNETCORE", StringComparison.Ordinal)
                )
                .ToList()
        )
            start.Environment.Remove(name);
        start.Environment["Ledger__Data"] = dataFolder;
        if (database is not null)
            start.Environment["ConnectionStrings__Ledger"] = database;
        foreach (var (name, value) in settings ?? new Dictionary<string, string>())
            start.Environment[name.Replace(":", "__", StringComparison.Ordinal)] = value;

        var output = new StringBuilder();
        var address = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        void Hear(object sender, DataReceivedEventArgs line)
        {
            if (line.Data is not { } text)
                return;
            lock (output)
                output.AppendLine(text);
            if (Listening().Match(text) is { Success: true } match)
                address.TrySetResult(match.Value);
        }

        process.OutputDataReceived += Hear;
        process.ErrorDataReceived += Hear;
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return new(process, dataFolder, output, address.Task, new HttpClient { Timeout = TimeSpan.FromSeconds(60) });
    }

    /// <summary>Waits until it listens.</summary>
    /// <exception cref="InvalidOperationException">It ended instead; the message is what it printed.</exception>
    public async Task ListensAsync()
    {
        var ended = _process.WaitForExitAsync();
        if (await Task.WhenAny(_address, ended) == ended)
            throw new InvalidOperationException(Output);
        Http.BaseAddress ??= new Uri(_address.Result);
    }

    /// <summary>Its embedded database, as its own command line would find it: where it listens, and its postmaster.</summary>
    public async Task<(string ConnectionString, int PostmasterId)> EmbeddedAsync()
    {
        await using var attached = await EmbeddedPostgres.AttachOrStartAsync(
            new EmbeddedPostgresOptions(DataFolder),
            NullLogger.Instance,
            TimeProvider.System,
            CancellationToken.None
        );
        return (attached.ConnectionString, attached.ProcessId);
    }

    /// <summary>Kills it as <c>kill -9</c> does: it cleans nothing up.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Asks it to stop, as <c>kill -TERM</c> does, without waiting.</summary>
    public Task TerminateAsync() => Signal.SendAsync(_process.Id, "TERM");

    /// <summary>Waits until it has ended.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    /// <summary>Asks it to stop and waits for it, so that its embedded database ends too.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await TerminateAsync();
        await _process.WaitForExitAsync();
        _process.Dispose();
        Http.Dispose();
    }

    [GeneratedRegex(@"(?<=(listens|ready) at )http://127\.0\.0\.1:[0-9]+")]
    private static partial Regex Listening();
}

/// <summary>Signals to processes that a test has started.</summary>
public static class Signal
{
    /// <summary>Sends one.</summary>
    /// <param name="processId">To whom.</param>
    /// <param name="name">Its name without SIG.</param>
    public static async Task SendAsync(int processId, string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", processId.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
        if (kill.ExitCode != 0)
            throw new InvalidOperationException($"kill -{name} {processId} failed.");
    }
}

/// <summary>Waits for what another process does.</summary>
public static class Eventually
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <summary>Asks until it is so.</summary>
    /// <param name="condition">What is waited for.</param>
    /// <param name="why">What to say where it never is.</param>
    /// <exception cref="TimeoutException">It was not so within a minute.</exception>
    public static async Task IsSoAsync(Func<Task<bool>> condition, Func<string>? why = null)
    {
        ArgumentNullException.ThrowIfNull(condition);
        var since = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(since) > Patience)
                throw new TimeoutException("It never came to be so. " + why?.Invoke());
            await Task.Delay(Pause);
        }
    }

    /// <summary>Asks until it is so.</summary>
    public static Task IsSoAsync(Func<bool> condition, Func<string>? why = null) => IsSoAsync(() => Task.FromResult(condition()), why);
}
