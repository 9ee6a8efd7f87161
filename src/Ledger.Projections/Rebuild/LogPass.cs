using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections.Accounts;
using Ledger.Projections.Audit;
using Ledger.Projections.Journal;
using Ledger.Projections.Usage;
using Npgsql;

namespace Ledger.Projections.Rebuild;

/// <summary>What a pass over the log does besides folding. Everything is called by one thread at a time.</summary>
internal sealed class LogPassWork
{
    /// <summary>Whether hashes, order and conservation are verified.</summary>
    public bool Verifies { get; init; }

    /// <summary>What looks at names, where events' names are verified; it tells <see cref="IsNameMissing"/>.</summary>
    public EventNames? Names { get; init; }

    /// <summary>Whether the name looked at last does not exist; put back by whoever reads it.</summary>
    public bool IsNameMissing { get; set; }

    /// <summary>Where the books of all accounts are summed; null where they are not.</summary>
    public BookSums? Books { get; init; }

    /// <summary>Compares or mends state checkpoints; null where nobody does.</summary>
    public CheckpointReview? Checkpoints { get; init; }

    /// <summary>Takes the hash of every event of the log as its headers say, in the order of positions; null where nobody does.</summary>
    public PassingHashes? Hashes { get; init; }

    private long _erased;

    /// <summary>Takes how many events there were since it was asked last whose metadata or address is gone and whose digest of it stands: erased, by whomever.</summary>
    public long TakeErased() => Interlocked.Exchange(ref _erased, 0);

    /// <summary>Counts one more.</summary>
    public void CountErased() => Interlocked.Increment(ref _erased);

    /// <summary>Told of so many more events.</summary>
    public Action<int>? Progress { get; init; }

    /// <summary>What must be looked up in the log besides, as it is met.</summary>
    public Func<FoldedAccount, long, EarlierEvent, CancellationToken, ValueTask>? Earlier { get; init; }
}

/// <summary>
/// Folds accounts over the whole log in the order of positions, all at once, as fast as PostgreSQL sends it: one task reads, one parses and hashes, one folds. What of an
/// account does not simply follow on what was before is left to whoever looks closer. Memory is bounded by the accounts of a part, not by events: see
/// <c>docs/decisions/0021-one-pass-by-position.md</c>.
/// </summary>
/// <param name="database">Connections for reading.</param>
/// <param name="work">What else is done.</param>
internal sealed class LogPass(NpgsqlDataSource database, LogPassWork work)
{
    private const int Blocks = 8;

    private const int MostStrays = AuditRun.MaxFindings;

    private readonly Dictionary<string, FoldedAccount> _accounts = new(StringComparer.Ordinal);
    private PassRows _rows = new([], []);
    private PassRows _spare = new([], []);
    private Task _spilling = Task.CompletedTask;

    /// <summary>The accounts of the part, by stream.</summary>
    public IReadOnlyDictionary<string, FoldedAccount> Accounts => _accounts;

    /// <summary>The streams of the part that are no accounts'.</summary>
    public HashSet<string> Others { get; } = new(StringComparer.Ordinal);

    /// <summary>Events that no stream's history can have: those that name no stream, and versions below the first. They are not folded; of very many only the first are here.</summary>
    public List<(long Position, string StreamId, long Version)> Strays { get; } = [];

    /// <summary>How many of them there are.</summary>
    public long StraysTotal { get; private set; }

    /// <summary>The last position of the pass.</summary>
    public long Position { get; private set; }

    /// <summary>
    /// The bounds of parts of about so many accounts each, first to last: each goes from above the one before up to itself, and the last, null, to the end.
    /// </summary>
    public static async Task<IReadOnlyList<string?>> PartsAsync(NpgsqlDataSource database, int accountsAtOnce, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select n.id
            from (
              select
                s.id,
                row_number() over (order by s.id) as n,
                count(*) over () as total
              from mt_streams s
              where s.type = $1
            ) n
            where n.n % $2 = 0
              and n.n < n.total
            order by n.id
            """
        );
        command.CommandTimeout = 0;
        command.Parameters.Add(new() { Value = Account.StreamType });
        command.Parameters.Add(new() { Value = (long)accountsAtOnce });
        var bounds = new List<string?>();
        await using (var rows = await command.ExecuteReaderAsync(ct))
        {
            while (await rows.ReadAsync(ct))
                bounds.Add(rows.GetString(0));
        }

        bounds.Add(null);
        return bounds;
    }

    /// <summary>Goes over one part of the accounts.</summary>
    /// <param name="above">The stream below the first; null for the first part.</param>
    /// <param name="upTo">The last stream; null for the last part.</param>
    /// <param name="position">The last position; the log is settled up to it.</param>
    /// <param name="spill">Takes rows, whenever there are many of them; they go on being made meanwhile.</param>
    /// <param name="ct">Gives up.</param>
    public async Task RunAsync(
        string? above,
        string? upTo,
        long position,
        Func<PassRows, CancellationToken, Task> spill,
        CancellationToken ct
    )
    {
        _accounts.Clear();
        Others.Clear();
        Strays.Clear();
        StraysTotal = 0;
        Position = position;
        work.Books?.BeginPass();
        _rows.Clear();

        // One who takes hashes wants those of all streams.
        if (above is not null || upTo is not null)
            work.Hashes?.Complete();
        var hashes = above is null && upTo is null && work.Verifies ? work.Hashes : null;
        if (work.Checkpoints is { } checkpoints)
        {
            foreach (var (stream, version) in await checkpoints.KeptAsync(above, upTo, ct))
                (AccountOf(stream).Kept ??= new()).Push(version);
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var (free, read) = (Channel.CreateBounded<LogBlock>(Blocks), Channel.CreateBounded<LogBlock>(Blocks));
        var (empty, parsed) = (Channel.CreateBounded<List<PassEvent>>(Blocks), Channel.CreateBounded<List<PassEvent>>(Blocks));
        for (var n = 0; n < Blocks; n++)
        {
            free.Writer.TryWrite(new());
            empty.Writer.TryWrite([]);
        }

        var reading = Stage(
            read.Writer,
            () =>
                new LogCopy(database).ReadAsync(
                    new(0, position, above, upTo, work.Verifies),
                    free.Reader.ReadAsync,
                    read.Writer.WriteAsync,
                    stop.Token
                ),
            stop
        );
        var parsing = Stage(
            parsed.Writer,
            async () =>
            {
                using var parser = new EventParser(work.Verifies, work.CountErased);
                await foreach (var block in read.Reader.ReadAllAsync(stop.Token))
                {
                    var events = await empty.Reader.ReadAsync(stop.Token);
                    var page = hashes is null ? null : await hashes.RentAsync(stop.Token);
                    Parse(parser, block, events, page);
                    if (page is not null)
                        hashes!.Give(page);
                    await free.Writer.WriteAsync(block, stop.Token);
                    await parsed.Writer.WriteAsync(events, stop.Token);
                }

                hashes?.Complete();
            },
            stop
        );
        var folding = Stage<LogBlock>(
            null,
            async () =>
            {
                await foreach (var events in parsed.Reader.ReadAllAsync(stop.Token))
                {
                    await FoldAsync(events, spill, stop.Token);
                    work.Progress?.Invoke(events.Count);
                    events.Clear();
                    await empty.Writer.WriteAsync(events, stop.Token);
                }
            },
            stop
        );

        try
        {
            // What has failed is thrown, not that the others were stopped for it.
            await Task.WhenAll(reading, parsing, folding);
            foreach (var account in _accounts.Values)
            {
                account.EndHour(_rows.Usage);
                if (_rows.Count >= RowsPerSpill)
                    await SpillAsync(spill, ct);
            }

            await SpillAsync(spill, ct);
            await _spilling;
        }
        finally
        {
            // Whoever takes rows must be done with them before anybody goes on.
            await _spilling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Hands over the rows that are done. PostgreSQL takes them while the next ones are made.</summary>
    private async Task SpillAsync(Func<PassRows, CancellationToken, Task> spill, CancellationToken ct)
    {
        await _spilling;
        (_rows, _spare) = (_spare, _rows);
        _rows.Clear();
        _spilling = spill(_spare, ct);
    }

    private const int RowsPerSpill = 20_000;

    /// <summary>Runs a stage; one that fails stops the others.</summary>
    private static Task Stage<T>(ChannelWriter<T>? to, Func<Task> run, CancellationTokenSource stop) =>
        Task.Run(
            async () =>
            {
                try
                {
                    await run();
                    to?.Complete();
                }
                catch
                {
                    await stop.CancelAsync();
                    throw;
                }
            },
            CancellationToken.None
        );

    private FoldedAccount AccountOf(string stream) =>
        _accounts.TryGetValue(stream, out var account) ? account : _accounts[stream] = new(stream);

    private void Parse(EventParser parser, LogBlock block, List<PassEvent> events, HashPage? hashes)
    {
        Span<char> stream = stackalloc char[256];
        foreach (var raw in block)
        {
            work.Books?.See(raw.Position, raw.Micros);
            if (raw.Version < 1 || raw.StreamId.IsEmpty)
            {
                if (StraysTotal++ < MostStrays)
                    Strays.Add((raw.Position, Encoding.UTF8.GetString(raw.StreamId), raw.Version));
                hashes?.Add(raw.Position, parser.HashOf(raw));
                continue;
            }

            if (!raw.StreamId.StartsWith("account-"u8))
            {
                Others.Add(Encoding.UTF8.GetString(raw.StreamId));
                hashes?.Add(raw.Position, parser.HashOf(raw));
                continue;
            }

            FoldedAccount? account;
            if (raw.StreamId.Length > stream.Length)
            {
                account = AccountOf(Encoding.UTF8.GetString(raw.StreamId));
            }
            else
            {
                var name = stream[..Encoding.UTF8.GetChars(raw.StreamId, stream)];
                if (!_accounts.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out account))
                    account = AccountOf(name.ToString());
            }

            if (account.IsLeft)
            {
                hashes?.Add(raw.Position, parser.HashOf(raw));
                continue;
            }

            events.Add(parser.Read(account, raw));
            hashes?.Add(raw.Position, parser.Hash);
        }
    }

    private async ValueTask FoldAsync(List<PassEvent> events, Func<PassRows, CancellationToken, Task> spill, CancellationToken ct)
    {
        if (work.Books is { } books)
            await books.LookUpAsync(events, ct);
        for (var at = 0; at < events.Count; )
        {
            at = Fold(events, at, out var earlier);
            var (account, version) = (events[at - 1].Account, events[at - 1].Version);
            if (earlier is { } named && work.Earlier is { } look)
                await look(account, version, named, ct);
            if (!account.IsLeft && work.Checkpoints is { } checkpoints && checkpoints.IsDue(account))
                await checkpoints.TakeAsync(account.Account, ct);
        }

        if (_rows.Count >= RowsPerSpill)
            await SpillAsync(spill, ct);
    }

    /// <summary>Folds events until something must be looked up besides.</summary>
    /// <returns>The place behind the one that was folded last.</returns>
    private int Fold(List<PassEvent> events, int from, out EarlierEvent? earlier)
    {
        earlier = null;
        var all = CollectionsMarshal.AsSpan(events);
        for (var at = from; at < all.Length; at++)
        {
            ref readonly var next = ref all[at];
            var account = next.Account;
            if (account.IsLeft)
                continue;
            if (!TryFold(account, next, out earlier))
                (account.IsLeft, earlier) = (true, null);
            else if (earlier is not null || work.Checkpoints?.IsDue(account) == true)
                return at + 1;
        }

        return all.Length;
    }

    /// <summary>Takes one event more, where it simply follows.</summary>
    private bool TryFold(FoldedAccount account, in PassEvent next, out EarlierEvent? earlier)
    {
        earlier = null;
        var before = account.Account;
        if (next.Event is not { } @event || next.Version != before.Version + 1)
            return false;
        var fact = new Fact(next.Id, next.Version, next.At, @event);
        if (fact.At < before.LastAt || (work.Verifies && next.Previous != account.Hash))
            return false;
        try
        {
            if (work.Names is { } names)
            {
                earlier = names.Check(before, @event);
                if (work.IsNameMissing)
                {
                    work.IsNameMissing = false;
                    return false;
                }
            }

            var after = Account.Evolve(before, fact);
            if (work.Verifies && !(IsConserved(after.Wallet, Unit.Credits) && IsConserved(after.Wallet, Unit.Usd)))
                return false;
            work.Books?.Post(account, fact, next.Position);
            if (UsageDelta.Of(fact) is { } delta)
                account.Use(fact, delta, _rows.Usage);
            else if (TrailRows.IsOfAccess(@event))
                _rows.Trail.Add((after.Id, fact.Version, fact.Id));
            (account.Account, account.Hash, account.Position) = (after, next.Hash, next.Position);
            return true;
        }
        catch (Exception e) when (UnreadableStream.IsMeantBy(e))
        {
            return false;
        }
    }

    /// <summary>granted + reversed + debt = posted + spent + expired + clawed back.</summary>
    internal static bool IsConserved(Wallet wallet, Unit unit)
    {
        var totals = wallet.Totals(unit);
        return (Int128)totals.Granted + totals.Reversed + totals.Debt
            == (Int128)wallet.Posted(unit).Parts + totals.Spent + totals.Expired + totals.ClawedBack;
    }
}

/// <summary>Rows that a pass has made, and that never change once they are.</summary>
/// <param name="Usage">Rows of usage.</param>
/// <param name="Trail">Rows of the access trail.</param>
internal sealed record PassRows(List<UsageRow> Usage, List<(AccountId Account, long Version, Guid Event)> Trail)
{
    /// <summary>How many there are.</summary>
    public int Count => Usage.Count + Trail.Count;

    /// <summary>Nobody needs them: a pass that only looks.</summary>
    public static Task DropAsync(PassRows rows, CancellationToken ct) => Task.CompletedTask;

    /// <summary>Empties them, to be used again.</summary>
    public void Clear()
    {
        Usage.Clear();
        Trail.Clear();
    }
}

/// <summary>One event on its way through a pass.</summary>
/// <param name="Account">Whose it is.</param>
/// <param name="Event">What happened; null where it could not be read, or is not what its hash says.</param>
/// <param name="Id">Its id.</param>
/// <param name="Position">Its place in the log.</param>
/// <param name="Version">Its place in its stream.</param>
/// <param name="At">When it was recorded.</param>
/// <param name="Previous">The hash of the event before it, as its headers say.</param>
/// <param name="Hash">Its own.</param>
internal readonly record struct PassEvent(
    FoldedAccount Account,
    AccountEvent? Event,
    Guid Id,
    long Position,
    long Version,
    DateTimeOffset At,
    Vector256<byte> Previous,
    Vector256<byte> Hash
);

/// <summary>Makes events of what came over the wire. Not safe for concurrent use.</summary>
/// <param name="verifies">Whether each is held against its hash.</param>
/// <param name="erased">Told of each whose metadata or address is gone.</param>
internal sealed class EventParser(bool verifies, Action erased) : IDisposable
{
    private static readonly byte[] Spent = Encoding.UTF8.GetBytes(LedgerEvents.Types.NameOf<CreditsSpent>());

    private readonly StoredForm _form = new();
    private readonly SpendParser _spends = new();
    private readonly byte[] _previous = new byte[HashChain.Size];
    private readonly byte[] _hash = new byte[HashChain.Size];
    private bool _hasHash;

    public void Dispose() => _form.Dispose();

    /// <summary>The hash of the event that was read last, as its headers say; empty where they do not.</summary>
    public ReadOnlySpan<byte> Hash => _hasHash ? _hash : default;

    /// <summary>Reads one.</summary>
    public PassEvent Read(FoldedAccount account, in RawEvent raw)
    {
        AccountEvent? @event = null;
        _hasHash = false;
        try
        {
            if (!verifies || Holds(raw) || Holds(account, raw))
                @event = (raw.Type.SequenceEqual(Spent) ? _spends.TryRead(raw.Data) : null) ?? LedgerEvents.Types.Find(raw) as AccountEvent;
        }
        catch (Exception e) when (UnreadableStream.IsMeantBy(e))
        {
            // Whoever looks closer says what is the matter.
        }

        if (verifies && !_hasHash)
            HashOf(raw);
        return new(
            account,
            @event,
            new(raw.Id, bigEndian: true),
            raw.Position,
            raw.Version,
            raw.At,
            verifies ? Vector256.Create<byte>(_previous) : default,
            verifies ? Vector256.Create<byte>(_hash) : default
        );
    }

    /// <summary>The hash of an event as its headers say, whatever it is of; empty where they do not.</summary>
    public ReadOnlySpan<byte> HashOf(in RawEvent raw)
    {
        try
        {
            var hash = HashChain.FromHeaders(raw.Headers.IsEmpty ? null : Encoding.UTF8.GetString(raw.Headers), "hash");
            _hasHash = hash is not null;
            if (_hasHash)
                hash!.CopyTo(_hash, 0);
        }
        catch (JsonException)
        {
            _hasHash = false;
        }

        return Hash;
    }

    private bool Holds(in RawEvent raw) => _hasHash = _form.Verify(raw, _previous, _hash) == RawVerdict.Holds;

    /// <summary>The general way: metadata, addresses, and what the fast one does not know.</summary>
    private bool Holds(FoldedAccount account, in RawEvent raw)
    {
        var headers = raw.Headers.IsEmpty ? null : Encoding.UTF8.GetString(raw.Headers);
        if (HashChain.FromHeaders(headers, "prev") is not { } previous || HashChain.FromHeaders(headers, "hash") is not { } hash)
            return false;
        previous.CopyTo(_previous, 0);
        hash.CopyTo(_hash, 0);
        var stored = new StoredEvent(
            raw.Position,
            new(raw.Id, bigEndian: true),
            account.StreamId,
            raw.Version,
            Encoding.UTF8.GetString(raw.Type),
            raw.At,
            Encoding.UTF8.GetString(raw.Data),
            headers,
            null,
            null
        );
        if (ChainVerifier.FaultOf(stored, raw.Version, previous) is not null)
            return false;
        if (ChainVerifier.IsErased(stored))
            erased();
        return true;
    }
}
