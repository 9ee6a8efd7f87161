using System.Globalization;
using Ledger.Faults.Audit;
using Ledger.Faults.Injection;
using Ledger.Faults.Load;
using Ledger.Faults.Machine;
using Ledger.Faults.Plans;
using Npgsql;

namespace Ledger.Faults;

/// <summary>What one seed came to.</summary>
/// <param name="Plan">Its plan.</param>
/// <param name="Findings">What is wrong; empty where it passed.</param>
/// <param name="Struck">The faults that struck.</param>
/// <param name="Accepted">Spends and holds that were acknowledged, each reference once.</param>
/// <param name="Refused">Those that were only ever refused.</param>
/// <param name="Unknown">Those of which nobody was told.</param>
/// <param name="Repeats">Answers that said they were repeats.</param>
/// <param name="Events">Events in the log.</param>
/// <param name="Took">How long it took.</param>
/// <param name="Logs">The ends of the servers' logs; empty where it passed.</param>
internal sealed record RunResult(
    Plan Plan,
    IReadOnlyList<string> Findings,
    IReadOnlyList<FaultKind> Struck,
    int Accepted,
    int Refused,
    int Unknown,
    int Repeats,
    long Events,
    TimeSpan Took,
    string Logs
)
{
    /// <summary>Whether everything was as it must be.</summary>
    public bool Passed => Findings.Count == 0;

    /// <summary>The one command that runs the seed again.</summary>
    public string Command =>
        string.Create(CultureInfo.InvariantCulture, $"dotnet run --project tests/Ledger.Faults -c Release -- --seed {Plan.Seed} -v");

    /// <summary>All there is to know of a seed that failed.</summary>
    public override string ToString() =>
        $"{Plan}\n{string.Join('\n', Findings.Select(finding => "  WRONG: " + finding))}\n\n{Logs}\n\nAgain: {Command}";
}

/// <summary>Runs one seed: a fresh database, servers, load, faults; then everything is healed, and audited.</summary>
internal static class Run
{
    /// <summary>How long a run may take before it counts as stuck.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(120);

    /// <summary>How long servers may take to be ready once everything is healed.</summary>
    private static readonly TimeSpan ReadyPatience = TimeSpan.FromSeconds(40);

    private const int Repeats = 24;

    public static async Task<RunResult> ExecuteAsync(Plan plan, FaultCluster cluster, CancellationToken ct)
    {
        var since = TimeProvider.System.GetTimestamp();
        using var stuck = CancellationTokenSource.CreateLinkedTokenSource(ct);
        stuck.CancelAfter(Longest);
        var journal = new Journal();
        var findings = new List<string>();
        var struck = new List<FaultKind>();
        var logs = "";
        var events = 0L;

        await cluster.ReadyAsync(ct);
        var database = await cluster.CreateDatabaseAsync(plan.Seed, ct);
        var folder = cluster.FolderOf(plan.Seed);
        var nodes = new List<Node>();
        try
        {
            for (var n = 0; n < plan.Servers; n++)
            {
                var proxy = new Proxy(cluster.Socket);
                var home = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"server{n}"));
                var (settings, through) = (Node.SettingsOf(plan), cluster.Through(proxy, database));
                nodes.Add(
                    plan.AreProcesses ? new ProcessNode(proxy, settings, through, home) : new HostedNode(proxy, settings, through, home)
                );
            }

            await Task.WhenAll(nodes.Select(node => node.StartAsync()));
            var rateCard = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "rate-card.json"), ct);
            using var world = new World(nodes, rateCard);
            await AllReadyAsync(world, stuck.Token);
            await world.PrepareAsync(plan, stuck.Token);

            await using var follower = new Follower(cluster.Direct(database));
            using (var injector = new Injector(plan, world, cluster, database, journal))
            {
                var faults = injector.RunAsync(stuck.Token);
                try
                {
                    await Task.WhenAll(plan.Clients.Select(client => Task.Run(() => Client.RunAsync(client, world, journal, stuck.Token))));
                }
                finally
                {
                    journal.End();
                    await faults;
                    struck.AddRange(injector.Struck);
                    findings.AddRange(injector.Findings);
                }
            }

            foreach (var node in nodes)
                node.Proxy.Heal();
            await cluster.ReadyAsync(stuck.Token);
            await AllReadyAsync(world, stuck.Token);
            findings.AddRange(await RepeatAsync(plan, world, journal, stuck.Token));
            foreach (var node in nodes)
                await node.StopAsync();

            await using var direct = NpgsqlDataSource.Create(cluster.Direct(database));
            findings.AddRange(await Auditor.RunAsync(plan, world, journal, follower, direct, stuck.Token));
            await using var count = direct.CreateCommand("select count(*) from mt_events");
            events = (long)(await count.ExecuteScalarAsync(stuck.Token))!;
        }
        catch (OperationCanceledException) when (stuck.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            findings.Add($"The run was stuck: it was not over after {Longest.TotalSeconds} s.");
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            findings.Add($"The run broke: {e}");
        }
        finally
        {
            if (findings.Count > 0)
                logs = string.Join(
                    '\n',
                    nodes
                        .Select((node, n) => $"Server {n}'s log ends:\n{node.LogTail(60)}\n")
                        .Append($"PostgreSQL's log ends:\n{cluster.LogTail(40)}")
                );
            foreach (var node in nodes)
                await node.DisposeAsync();
            NpgsqlConnection.ClearAllPools();
            await cluster.ReadyAsync(CancellationToken.None);
            await cluster.DropDatabaseAsync(database, CancellationToken.None);
            Directory.Delete(folder, recursive: true);
        }

        var told = journal
            .Attempts.Where(attempt => attempt.Step.Verb is Verb.Spend or Verb.Reserve)
            .GroupBy(attempt => (attempt.Step.Account, attempt.Step.Tool, attempt.Step.Reference))
            .Select(group =>
                group.Min(attempt =>
                    attempt.Outcome == Told.Unknown ? 1
                    : attempt.Outcome == Told.Accepted ? 0
                    : 2
                )
            )
            .ToList();
        return new(
            plan,
            findings,
            struck,
            told.Count(outcome => outcome == 0),
            told.Count(outcome => outcome == 2),
            told.Count(outcome => outcome == 1),
            journal.Attempts.Count(attempt => attempt.Replayed),
            events,
            TimeProvider.System.GetElapsedTime(since),
            logs
        );
    }

    private static async Task AllReadyAsync(World world, CancellationToken ct)
    {
        var since = TimeProvider.System.GetTimestamp();
        foreach (var node in world.Nodes)
        {
            while (true)
            {
                var (status, text) = await world.ReadyAsync(node, ct);
                if (status == 200)
                    break;
                if (TimeProvider.System.GetElapsedTime(since) > ReadyPatience)
                    throw new TimeoutException($"With everything healed, a server does not become ready: {status} {text}");
                await Task.Delay(TimeSpan.FromMilliseconds(10), ct);
            }
        }
    }

    /// <summary>Some of what was acknowledged is sent once more, to any server: the answer is the first one.</summary>
    private static async Task<IReadOnlyList<string>> RepeatAsync(Plan plan, World world, Journal journal, CancellationToken ct)
    {
        var dice = new Random(plan.Seed);
        var (revoked, suspended) = (new HashSet<(int, int)>(), new HashSet<int>());
        foreach (var attempt in journal.Attempts)
        {
            if (attempt.Step.Verb == Verb.RevokeKey)
                revoked.Add((attempt.Step.Account, attempt.Step.Key));
            if (attempt.Step.Verb == Verb.Suspend)
                suspended.Add(attempt.Step.Account);
        }

        var accepted = journal
            .Attempts.Where(attempt => attempt is { Outcome: Told.Accepted, Step.Verb: Verb.Spend or Verb.Reserve })
            .Where(attempt => !revoked.Contains((attempt.Step.Account, attempt.Step.Key)) && !suspended.Contains(attempt.Step.Account))
            .ToArray();
        dice.Shuffle(accepted);
        var findings = new List<string>();
        foreach (var first in accepted.Take(Repeats))
        {
            // Told to come back, or cut off by a connection that broke before all was well, one comes back, until the run counts as stuck.
            Attempt again;
            while (
                (again = (await world.SendAsync(first.Step, dice.Next(world.Nodes.Count), TimeSpan.FromSeconds(30), ct))[0]).Status
                    is 0
                        or 503
            )
                await Task.Delay(TimeSpan.FromMilliseconds(50), ct);
            if (
                again is not { Outcome: Told.Accepted, Replayed: true }
                && (first.Step.Verb == Verb.Spend || again.Outcome != Told.Accepted)
            )
                findings.Add(
                    $"{first.Step} was accepted ({first.Text}); sent again when all was over it was answered {again.Status} {again.Text}"
                );
            else if ((again.Id, again.Charged, again.Balance) != (first.Id, first.Charged, first.Balance))
                findings.Add($"{first.Step} was answered {first.Text}; sent again when all was over, {again.Text}");
        }

        return findings;
    }
}
