using Ledger.Faults.Plans;

namespace Ledger.Faults.Load;

/// <summary>Sends one client's commands as an SDK would: what got no answer, or 5xx, is sent again with the same reference, so often and no more.</summary>
internal static class Client
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(250);

    public static async Task RunAsync(PlannedClient plan, World world, Journal journal, CancellationToken ct)
    {
        foreach (var step in plan.Steps)
        {
            var server = plan.Server;
            var pause = TimeSpan.FromMilliseconds(10);
            for (var tries = 1; ; tries++)
            {
                var attempts = await world.SendAsync(step, server, plan.Timeout, ct);
                foreach (var attempt in attempts)
                    journal.Add(attempt);
                if (tries == plan.Patience || attempts.All(attempt => attempt.Outcome != Told.Unknown && attempt.Status < 500))
                    break;
                if (plan.Roams)
                    server = (server + 1) % world.Nodes.Count;
                await Task.Delay(pause, ct);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }
        }
    }
}
