using System.Collections.Concurrent;
using System.Globalization;
using Ledger.Api.Dialects.Tools;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ledger.Faults.Machine;

/// <summary>The real application on a real port in this process: quick to start, and with a clock that can be stepped.</summary>
internal sealed class HostedNode(Proxy proxy, IReadOnlyDictionary<string, string> settings, string database, string folder)
    : Node(proxy, settings)
{
    private readonly Lines _lines = new();
    private Host? _host;

    public override SteppedClock Clock { get; } = new();

    public override async Task StartAsync()
    {
        var host = new Host(Settings.Append(new("ConnectionStrings:Ledger", database)).Append(new("Ledger:Data", folder)), Clock, _lines);
        host.UseKestrel(0);

        // It blocks until the first attempt to reach the database is over.
        using var client = await Task.Run(host.CreateClient);
        _host = host;
        Address = client.BaseAddress;
    }

    public override async Task StopAsync()
    {
        Address = null;
        if (_host is not { } host)
            return;
        _host = null;
        await host.DisposeAsync();
        _lines.Add("---- stopped ----");
    }

    public override string LogTail(int lines) => string.Join('\n', _lines.Last(lines));

    private sealed class Host(IEnumerable<KeyValuePair<string, string>> settings, SteppedClock clock, Lines lines)
        : WebApplicationFactory<ToolsApi>
    {
        protected override void ConfigureWebHost(IWebHostBuilder builder)
        {
            builder.UseEnvironment("Production").UseContentRoot(AppContext.BaseDirectory);
            foreach (var (name, value) in settings)
                builder.UseSetting(name, value);
            builder.ConfigureLogging(logging => logging.ClearProviders().AddProvider(lines));
            builder.ConfigureTestServices(services =>
            {
                services.Replace(ServiceDescriptor.Singleton<TimeProvider>(clock));

                // A signal to this process is for the runner, not for its servers.
                services.Replace(ServiceDescriptor.Singleton<IHostLifetime, NoSignals>());
            });
        }
    }

    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>The latest lines of a log.</summary>
    private sealed class Lines : ILoggerProvider
    {
        private const int Most = 2000;
        private readonly ConcurrentQueue<string> _lines = new();

        public void Add(string line)
        {
            _lines.Enqueue(line);
            while (_lines.Count > Most)
                _lines.TryDequeue(out _);
        }

        public IEnumerable<string> Last(int count) => _lines.TakeLast(count);

        public ILogger CreateLogger(string categoryName) => new Logger(categoryName, this);

        public void Dispose() { }

        private sealed class Logger(string category, Lines lines) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

            public void Log<TState>(
                LogLevel logLevel,
                EventId eventId,
                TState state,
                Exception? exception,
                Func<TState, Exception?, string> formatter
            ) =>
                lines.Add(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} {logLevel} {category}: {formatter(state, exception)}{(exception is null ? "" : "\n" + exception)}"
                    )
                );
        }
    }
}
