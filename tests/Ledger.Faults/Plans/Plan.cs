using System.Globalization;
using System.Text;

namespace Ledger.Faults.Plans;

/// <summary>What a client sends.</summary>
internal enum Verb
{
    Spend,
    SpendBatch,
    Reserve,
    Settle,
    Release,
    Check,
    Grant,
    Reverse,
    CreateKey,
    RevokeKey,
    Suspend,
    Reinstate,
    PublishPrice,
    OpenAccount,
}

/// <summary>One account as it is made before the load.</summary>
/// <param name="Credits">Whole credits that never expire.</param>
/// <param name="Lapsing">Whole credits that expire in the middle of the load, or would if a clock stepped; 0 for none.</param>
/// <param name="LapsesIn">After how long those expire.</param>
/// <param name="Keys">Its keys' limits in whole credits; null for no limit.</param>
/// <param name="Resets">When each limit starts anew, as the wire says it.</param>
internal sealed record PlannedAccount(
    long Credits,
    long Lapsing,
    TimeSpan LapsesIn,
    IReadOnlyList<long?> Keys,
    IReadOnlyList<string> Resets
);

/// <summary>One command of one client. What a verb does not need is left at its default.</summary>
/// <param name="Verb">What is done.</param>
/// <param name="Account">To which account, by its place in the plan.</param>
/// <param name="Key">By which of the account's keys.</param>
/// <param name="Tool">The tool.</param>
/// <param name="Units">Units, credits granted, or a price.</param>
/// <param name="Reference">The caller's own name for it; for a settlement, a release and a reversal the reference of what they are about.</param>
/// <param name="Seconds">Time to live, or to expiry; 0 for the default or never.</param>
/// <param name="Items">The items of a batch.</param>
internal sealed record Step(
    Verb Verb,
    int Account,
    int Key = 0,
    string Tool = "chat",
    int Units = 1,
    string Reference = "",
    int Seconds = 0,
    IReadOnlyList<Step>? Items = null
)
{
    public override string ToString() =>
        Items is not null
            ? $"{Verb} a{Account}/k{Key} [{string.Join("; ", Items.Select(item => $"{item.Tool} {item.Units} '{item.Reference}'"))}]"
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{Verb} a{Account}/k{Key} {Tool} {Units} '{Reference}'{(Seconds == 0 ? "" : $" {Seconds} s")}"
            );
}

/// <summary>One client and what it sends, one after the other.</summary>
/// <param name="Server">The server it turns to first.</param>
/// <param name="Roams">Whether a repeat goes to the next server.</param>
/// <param name="Patience">How often it sends one command at most.</param>
/// <param name="Timeout">How long it waits for an answer.</param>
/// <param name="Steps">Its commands.</param>
internal sealed record PlannedClient(int Server, bool Roams, int Patience, TimeSpan Timeout, IReadOnlyList<Step> Steps);

/// <summary>One fault.</summary>
/// <param name="Kind">What strikes.</param>
/// <param name="After">When: once so many commands have got their answer.</param>
/// <param name="Server">Which server it strikes, where it strikes one.</param>
/// <param name="For">For how long; zero where it is a blow.</param>
/// <param name="Commands">For how many further answers, where it lasts that long instead.</param>
/// <param name="Amount">Bytes for a cut midway; milliseconds for a delay; seconds, also negative, for a clock.</param>
/// <param name="Upwards">Whether a cut midway counts what goes to PostgreSQL; else what comes back.</param>
internal sealed record PlannedFault(FaultKind Kind, int After, int Server, TimeSpan For, int Commands, long Amount, bool Upwards)
{
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"after {After, 3}: {Kind}");
        if (
            Kind
            is not (FaultKind.DatabaseCrashed or FaultKind.DatabaseStopped or >= FaultKind.TableDiskFull and <= FaultKind.LogDiskStalled)
        )
            text.Append(CultureInfo.InvariantCulture, $", server {Server}");
        if (For > TimeSpan.Zero)
            text.Append(CultureInfo.InvariantCulture, $", for {For.TotalMilliseconds:0} ms");
        if (Commands > 0)
            text.Append(CultureInfo.InvariantCulture, $", for {Commands} answers");
        if (Amount != 0)
            text.Append(
                CultureInfo.InvariantCulture,
                $", {Amount} {Kind switch { FaultKind.CutMidway => Upwards ? "bytes up" : "bytes down", FaultKind.TrafficDelayed => "ms", _ => "s" }}"
            );
        return text.ToString();
    }
}

/// <summary>Settings of the servers of a run: small caches and batches find other paths than large ones.</summary>
/// <param name="Lanes">Lanes of each server.</param>
/// <param name="MaxBatch">The most commands in one commit.</param>
/// <param name="CachedAccounts">Accounts whose state is kept in memory.</param>
/// <param name="RecentReferences">References whose first answer is kept in memory.</param>
internal sealed record Tuning(int Lanes, int MaxBatch, int CachedAccounts, int RecentReferences);

/// <summary>A whole run, derived from its seed alone.</summary>
/// <param name="Seed">The seed.</param>
/// <param name="Servers">How many servers share the database.</param>
/// <param name="AreProcesses">Whether they are processes of their own, which can be killed; else they run in this process, where their clocks can be stepped.</param>
/// <param name="Tuning">Their settings.</param>
/// <param name="Accounts">The accounts.</param>
/// <param name="Clients">The load.</param>
/// <param name="Faults">The faults, in the order in which they strike.</param>
/// <param name="Replaced">Faults that were drawn and cannot be injected here, each with what was taken instead.</param>
internal sealed record Plan(
    int Seed,
    int Servers,
    bool AreProcesses,
    Tuning Tuning,
    IReadOnlyList<PlannedAccount> Accounts,
    IReadOnlyList<PlannedClient> Clients,
    IReadOnlyList<PlannedFault> Faults,
    IReadOnlyList<(FaultKind Drawn, FaultKind Taken)> Replaced
)
{
    /// <summary>Commands in all.</summary>
    public int Commands => Clients.Sum(client => client.Steps.Count);

    /// <summary>The plan for people: everything that it says but the clients' commands.</summary>
    public override string ToString() => Text(withSteps: false);

    /// <summary>The plan for people.</summary>
    /// <param name="withSteps">Whether every command of every client is listed.</param>
    public string Text(bool withSteps)
    {
        var text = new StringBuilder();
        text.Append(
            CultureInfo.InvariantCulture,
            $"seed {Seed}: {Servers} server{(Servers == 1 ? "" : "s")} {(AreProcesses ? "as processes" : "in this process")}, "
        );
        text.Append(CultureInfo.InvariantCulture, $"{Commands} commands by {Clients.Count} clients\n");
        text.Append(
            CultureInfo.InvariantCulture,
            $"  {Tuning.Lanes} lanes, batches up to {Tuning.MaxBatch}, {Tuning.CachedAccounts} accounts and {Tuning.RecentReferences} references in memory\n"
        );
        foreach (var (account, i) in Accounts.Select((account, i) => (account, i)))
        {
            text.Append(CultureInfo.InvariantCulture, $"  a{i}: {account.Credits} credits");
            if (account.Lapsing > 0)
                text.Append(CultureInfo.InvariantCulture, $" and {account.Lapsing} that lapse in {account.LapsesIn.TotalSeconds} s");
            var keys = account.Keys.Select((limit, k) => limit is null ? $"k{k}" : $"k{k} up to {limit} ({account.Resets[k]})");
            text.Append(CultureInfo.InvariantCulture, $"; keys {string.Join(", ", keys)}\n");
        }

        foreach (var (client, i) in Clients.Select((client, i) => (client, i)))
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"  client {i}: {client.Steps.Count} commands to server {client.Server}{(client.Roams ? ", roams" : "")}, "
            );
            text.Append(
                CultureInfo.InvariantCulture,
                $"{client.Patience} tries of {client.Timeout.TotalMilliseconds:0} ms: {Mix(client.Steps)}\n"
            );
            if (!withSteps)
                continue;
            foreach (var step in client.Steps)
                text.Append(CultureInfo.InvariantCulture, $"    {step}\n");
        }

        foreach (var fault in Faults)
            text.Append(CultureInfo.InvariantCulture, $"  {fault}\n");
        foreach (var (drawn, taken) in Replaced)
            text.Append(CultureInfo.InvariantCulture, $"  {drawn} cannot be injected here; {taken} was taken instead\n");
        return text.ToString();
    }

    private static string Mix(IEnumerable<Step> steps) =>
        string.Join(", ", steps.GroupBy(step => step.Verb).OrderBy(group => group.Key).Select(group => $"{group.Count()} {group.Key}"));
}
