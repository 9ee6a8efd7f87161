using System.Globalization;

namespace Ledger.Faults.Plans;

/// <summary>Derives a run from its seed. Pure: the same seed and the same means give the same plan, on every machine.</summary>
internal static class Planner
{
    private static readonly string[] Tools = ["chat", "chat", "chat", "image", "sfx", "translate"];

    /// <summary>Kinds by how often they are drawn; the slow ones seldom.</summary>
    private static readonly (FaultKind Kind, int Weight)[] Anywhere =
    [
        (FaultKind.ServerRestarted, 4),
        (FaultKind.DatabaseCrashed, 8),
        (FaultKind.BackendKilled, 8),
        (FaultKind.BackendTerminated, 8),
        (FaultKind.BackendStopped, 6),
        (FaultKind.DatabaseStopped, 6),
        (FaultKind.ConnectionsCut, 8),
        (FaultKind.CutMidway, 12),
        (FaultKind.AnswerSwallowed, 14),
        (FaultKind.ConnectionsRefused, 6),
        (FaultKind.TrafficStalled, 5),
        (FaultKind.TrafficDelayed, 5),
        (FaultKind.TableDiskFull, 5),
        (FaultKind.LogDiskFull, 3),
        (FaultKind.LogDiskStalled, 5),
    ];

    private static readonly (FaultKind Kind, int Weight)[] OfProcesses =
    [
        .. Anywhere,
        (FaultKind.ServerKilled, 40),
        (FaultKind.ServerStopped, 10),
    ];
    private static readonly (FaultKind Kind, int Weight)[] InProcess = [.. Anywhere, (FaultKind.ClockStepped, 14)];

    /// <summary>Derives a plan.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="impossible">What cannot be injected on this machine; something else is drawn in its place, which the plan says.</param>
    public static Plan Derive(int seed, IReadOnlySet<FaultKind> impossible)
    {
        ArgumentNullException.ThrowIfNull(impossible);
        var dice = new Random(seed);
        var servers = dice.Next(100) < 45 ? 2 : 1;
        var areProcesses = dice.Next(100) < 25;
        var tuning = new Tuning(
            dice.Next(1, 4),
            dice.Next(3) == 0 ? 3 : 1000,
            dice.Next(3) == 0 ? 1 : 1000,
            ((int[])[0, 8, 100_000])[dice.Next(3)]
        );
        var accounts = Enumerable.Range(0, dice.Next(2, 6)).Select(_ => AnAccount(dice)).ToList();
        var clients = Enumerable.Range(0, dice.Next(5, 15)).Select(client => AClient(dice, client, servers, accounts)).ToList();

        // What may not be drawn is drawn all the same and then replaced, so that the rest of the plan stays what it is elsewhere.
        var commands = clients.Sum(client => client.Steps.Count);
        var faults = new List<PlannedFault>();
        var replaced = new List<(FaultKind, FaultKind)>();
        for (var left = dice.Next(1, 5); left > 0; left--)
        {
            var fault = AFault(dice, areProcesses ? OfProcesses : InProcess, commands, servers);
            if (impossible.Contains(fault.Kind))
            {
                var taken = (FaultKind[])[FaultKind.DatabaseCrashed, FaultKind.AnswerSwallowed, FaultKind.DatabaseStopped];
                var instead = taken.First(kind => !impossible.Contains(kind));
                replaced.Add((fault.Kind, instead));
                fault = fault with { Kind = instead };
            }

            faults.Add(fault);
        }

        return new(seed, servers, areProcesses, tuning, accounts, clients, [.. faults.OrderBy(fault => fault.After)], replaced);
    }

    private static PlannedAccount AnAccount(Random dice)
    {
        // Rich ones never run out; poor ones do in the middle of the load.
        long credits = dice.Next(3) switch
        {
            0 => 100_000,
            1 => dice.Next(1000, 5000),
            _ => dice.Next(200, 1500),
        };
        var lapsing = dice.Next(4) == 0 ? dice.Next(50, 500) : 0;
        var lapsesIn = TimeSpan.FromSeconds(dice.Next(2) == 0 ? 3600 : 2);
        var limits = Enumerable.Range(0, dice.Next(2, 4)).Select(_ => dice.Next(3) == 0 ? dice.Next(100, 2000) : (long?)null).ToList();
        var resets = limits.Select(_ => ((string[])["none", "daily", "monthly"])[dice.Next(3)]).ToList();
        return new(credits, lapsing, lapsesIn, limits, resets);
    }

    private static PlannedClient AClient(Random dice, int client, int servers, List<PlannedAccount> accounts)
    {
        var (patience, timeout) = dice.Next(10) switch
        {
            0 => (1, TimeSpan.FromMilliseconds(200)),
            < 3 => (3, TimeSpan.FromMilliseconds(dice.Next(50, 1000))),
            < 6 => (10, TimeSpan.FromSeconds(2)),
            _ => (40, TimeSpan.FromSeconds(20)),
        };
        var home = dice.Next(servers);
        var roams = dice.Next(2) == 0;
        var isOperator = dice.Next(6) == 0;
        var steps = new List<Step>();
        for (var (n, count) = (0, dice.Next(12, 45)); n < count; n++)
            steps.Add(isOperator ? AnOperatorsStep(dice, client, n, accounts) : AStep(dice, client, n, steps, accounts));
        return new(home, roams, patience, timeout, steps);
    }

    private static Step AStep(Random dice, int client, int n, List<Step> before, List<PlannedAccount> accounts)
    {
        var account = dice.Next(3) == 0 ? 0 : dice.Next(accounts.Count);
        var key = dice.Next(accounts[account].Keys.Count);
        var tool = Tools[dice.Next(Tools.Length)];
        var units = dice.Next(1, 4);
        var own = string.Create(CultureInfo.InvariantCulture, $"c{client}-{n}");
        switch (dice.Next(100))
        {
            case < 44:
                return new(Verb.Spend, account, key, tool, units, own);

            case < 54:
                // One of a few references that many clients send at the same time, to every server; now and then with other contents.
                var shared = dice.Next(12);
                return new(
                    Verb.Spend,
                    shared % accounts.Count,
                    0,
                    "chat",
                    dice.Next(8) == 0 ? 9 : 1,
                    string.Create(CultureInfo.InvariantCulture, $"shared-{shared}")
                );

            case < 62 when Earlier(dice, before, Verb.Spend) is { } spend:
                return dice.Next(6) == 0 ? spend with { Units = spend.Units + 1 } : spend;

            case < 68:
                return new(
                    Verb.SpendBatch,
                    account,
                    key,
                    Items:
                    [
                        .. Enumerable
                            .Range(0, dice.Next(2, 7))
                            .Select(i => new Step(
                                Verb.Spend,
                                account,
                                key,
                                tool,
                                dice.Next(1, 3),
                                // The last one may stand twice in one batch.
                                string.Create(CultureInfo.InvariantCulture, $"{own}-{(i > 3 ? 3 : i)}")
                            )),
                    ]
                );

            case < 78:
                // Seconds rather than minutes, so that some holds lapse while others are settled.
                return new(Verb.Reserve, account, key, tool, units, own, dice.Next(4) == 0 ? 1 : 600);

            case < 86 when Earlier(dice, before, Verb.Reserve) is { } hold:
                return hold with { Verb = Verb.Settle, Units = dice.Next(1, 5) };

            case < 90 when Earlier(dice, before, Verb.Reserve) is { } hold:
                return hold with { Verb = Verb.Release };

            case < 92 when Earlier(dice, before, Verb.Spend) is { } spend:
                return spend with { Verb = Verb.Reverse };

            case < 96:
                return new(Verb.Check, account, key, tool, units);

            default:
                return new(Verb.Spend, account, key, tool, units, own);
        }
    }

    private static Step AnOperatorsStep(Random dice, int client, int n, List<PlannedAccount> accounts)
    {
        var account = dice.Next(accounts.Count);
        var own = string.Create(CultureInfo.InvariantCulture, $"c{client}-{n}");
        return dice.Next(20) switch
        {
            < 6 => new(Verb.Grant, account, Units: dice.Next(10, 200), Reference: own, Seconds: dice.Next(4) == 0 ? 2 : 0),
            < 9 => new(Verb.Grant, 0, Units: 50, Reference: string.Create(CultureInfo.InvariantCulture, $"shared-grant-{dice.Next(6)}")),
            < 11 => new(Verb.CreateKey, account, Reference: own),
            // Never the first key: something must go on.
            < 13 => new(Verb.RevokeKey, account, dice.Next(1, accounts[account].Keys.Count)),
            < 14 when accounts.Count > 1 => new(Verb.Suspend, accounts.Count - 1, Reference: own),
            < 16 when accounts.Count > 1 => new(Verb.Reinstate, accounts.Count - 1, Reference: own),
            < 18 => new(Verb.PublishPrice, 0, Units: dice.Next(2, 9)),
            < 19 => new(Verb.OpenAccount, 0, Reference: own),
            _ => new(Verb.Check, account),
        };
    }

    private static Step? Earlier(Random dice, List<Step> before, Verb verb)
    {
        var found = before.Where(step => step.Verb == verb).ToList();
        return found.Count == 0 ? null : found[dice.Next(found.Count)];
    }

    private static PlannedFault AFault(Random dice, (FaultKind Kind, int Weight)[] kinds, int commands, int servers)
    {
        var drawn = dice.Next(kinds.Sum(kind => kind.Weight));
        var kind = kinds.First(each => (drawn -= each.Weight) < 0).Kind;
        var after = dice.Next(commands / 10, commands * 7 / 10);
        var server = dice.Next(servers);

        // Longer than a writer waits for an answer, now and then: 5 s.
        var isLong = dice.Next(40) == 0;
        var milliseconds = isLong ? dice.Next(5200, 6500) : dice.Next(20, 400);
        var (amount, many, upwards) = (dice.NextInt64(), dice.Next(10, 80), dice.Next(2) == 0);
        var duration = TimeSpan.FromMilliseconds(
            kind switch
            {
                FaultKind.BackendTerminated or FaultKind.BackendKilled or FaultKind.ConnectionsCut => 0,
                FaultKind.CutMidway or FaultKind.AnswerSwallowed or FaultKind.TrafficDelayed or FaultKind.ClockStepped => 0,
                FaultKind.BackendStopped or FaultKind.DatabaseStopped or FaultKind.TrafficStalled or FaultKind.LogDiskStalled =>
                    milliseconds,
                FaultKind.ServerStopped => milliseconds,
                _ => milliseconds % 400,
            }
        );
        return new(
            kind,
            after,
            server,
            duration,
            kind is FaultKind.TrafficDelayed or FaultKind.ClockStepped ? many : 0,
            kind switch
            {
                FaultKind.CutMidway => 1 + (amount % 4000),
                FaultKind.TrafficDelayed => 1 + (amount % 15),
                FaultKind.ClockStepped => Step(amount),
                _ => 0,
            },
            upwards
        );
    }

    /// <summary>Seconds to days, forwards and backwards.</summary>
    private static long Step(long drawn)
    {
        long[] steps = [2, 5, 30, 600, 3700, 90_000, 2_700_000];
        var step = steps[(int)(drawn % steps.Length)];
        return drawn / steps.Length % 2 == 0 ? step : -step;
    }
}
