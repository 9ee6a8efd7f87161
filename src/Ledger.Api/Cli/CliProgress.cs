using System.Globalization;
using Ledger.EventStore.Transfer;
using Ledger.Projections.Audit;
using Ledger.Projections.Pricing;
using Ledger.Projections.Rebuild;

namespace Ledger.Api.Cli;

/// <summary>Tells how far long work has come, how fast, and how long it will take still: a bar that moves on a terminal, a line for every tenth elsewhere.</summary>
/// <param name="console">Where.</param>
internal sealed class CliProgress(CliConsole console)
    : IProgress<RebuildProgress>,
        IProgress<AuditProgress>,
        IProgress<TransferProgress>,
        IProgress<WhatIfProgress>
{
    private const int Width = 30;
    private static readonly TimeSpan Steady = TimeSpan.FromSeconds(1);
    private readonly Lock _lock = new();
    private string _stage = "";
    private long _startedAt;
    private long _last = -1;
    private int _written;

    /// <inheritdoc/>
    public void Report(RebuildProgress value)
    {
        if (value.EventsTotal > 0)
            Tell(
                value.Model,
                value.Events,
                value.EventsTotal,
                string.Create(CultureInfo.InvariantCulture, $"{value.Events} of {Math.Max(value.EventsTotal, value.Events)} events"),
                "events"
            );
        else
            Tell(
                value.Model,
                value.AccountsDone,
                value.AccountsTotal,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{value.AccountsDone} of {value.AccountsTotal} accounts, {value.Events} events"
                ),
                "accounts"
            );
    }

    /// <inheritdoc/>
    public void Report(AuditProgress value) =>
        Tell(
            value.Check,
            value.Done,
            value.Total,
            string.Create(CultureInfo.InvariantCulture, $"{value.Done} of {Math.Max(value.Total, value.Done)} {value.Unit}"),
            value.Unit
        );

    /// <inheritdoc/>
    public void Report(TransferProgress value) =>
        Tell(
            value.Stage,
            value.Done,
            value.Total,
            string.Create(CultureInfo.InvariantCulture, $"{value.Done} of {value.Total} {value.Unit}"),
            value.Unit
        );

    /// <inheritdoc/>
    public void Report(WhatIfProgress value) =>
        Tell(
            "replay",
            value.Done,
            value.Total,
            string.Create(CultureInfo.InvariantCulture, $"{value.Done} of {value.Total} events"),
            "events"
        );

    /// <summary>Ends the bar's line, where there is one.</summary>
    public void End()
    {
        lock (_lock)
        {
            if (console.IsTerminal && _stage.Length > 0)
                Write("\n");
            _stage = "";
        }
    }

    private void Tell(string stage, long done, long total, string what, string unit)
    {
        var percent = total == 0 ? 100 : Math.Min(100, done * 100 / total);
        lock (_lock)
        {
            if (stage != _stage)
            {
                if (console.IsTerminal && _stage.Length > 0)
                    Write("\n");
                (_stage, _startedAt, _last, _written) = (stage, TimeProvider.System.GetTimestamp(), -1, 0);
            }

            if (console.IsTerminal)
            {
                var filled = (int)(percent * Width / 100);
                var line = string.Create(
                    CultureInfo.InvariantCulture,
                    $"{stage} [{new string('#', filled)}{new string('.', Width - filled)}] {percent, 3} %, {what}{Speed(done, total, unit)}"
                );
                Write("\r" + line.PadRight(_written));
                _written = line.Length;
            }
            else if (percent / 10 > _last)
            {
                Write(string.Create(CultureInfo.InvariantCulture, $"{stage}: {percent} %, {what}{Speed(done, total, unit)}\n"));
                _last = percent / 10;
            }
        }
    }

    /// <summary>How fast, and how long still; nothing until there is something to reckon with.</summary>
    private string Speed(long done, long total, string unit)
    {
        var took = TimeProvider.System.GetElapsedTime(_startedAt);
        if (took < Steady || done == 0)
            return "";
        var perSecond = done / took.TotalSeconds;
        var left = total > done ? TimeSpan.FromSeconds(Math.Min((total - done) / perSecond, 359_999)) : TimeSpan.Zero;
        return string.Create(
            CultureInfo.InvariantCulture,
            $", {perSecond:0} {unit}/s{(left > TimeSpan.Zero ? $", {(int)left.TotalHours}:{left:mm\\:ss} left" : "")}"
        );
    }

    private void Write(string text)
    {
        console.Error.Write(text);
        console.Error.Flush();
    }
}
