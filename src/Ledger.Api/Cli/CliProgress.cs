using System.Globalization;
using Ledger.Projections.Rebuild;

namespace Ledger.Api.Cli;

/// <summary>Tells how far long work has come: a bar that moves on a terminal, a line for every tenth elsewhere.</summary>
/// <param name="console">Where.</param>
internal sealed class CliProgress(CliConsole console) : IProgress<RebuildProgress>
{
    private const int Width = 30;
    private readonly Lock _lock = new();
    private long _last = -1;

    /// <inheritdoc/>
    public void Report(RebuildProgress value)
    {
        var percent = value.AccountsTotal == 0 ? 100 : Math.Min(100, value.AccountsDone * 100 / value.AccountsTotal);
        lock (_lock)
        {
            if (console.IsTerminal)
            {
                var done = (int)(percent * Width / 100);
                Write(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"\r{value.Model} [{new string('#', done)}{new string('.', Width - done)}] {percent, 3} %, {value.AccountsDone} of {value.AccountsTotal} accounts, {value.Events} events"
                    )
                );
            }
            else if (percent / 10 > _last)
            {
                Write(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{value.Model}: {percent} %, {value.AccountsDone} of {value.AccountsTotal} accounts, {value.Events} events\n"
                    )
                );
                _last = percent / 10;
            }
        }
    }

    /// <summary>Ends the bar's line.</summary>
    public void End()
    {
        if (console.IsTerminal)
            Write("\n");
    }

    private void Write(string text)
    {
        console.Error.Write(text);
        console.Error.Flush();
    }
}
