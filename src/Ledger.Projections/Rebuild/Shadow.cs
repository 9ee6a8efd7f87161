using System.Data;
using System.Globalization;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.RateCards;
using Ledger.EventStore;
using Ledger.Projections.Accounts;
using Ledger.Projections.Pricing;
using Ledger.Projections.Usage;
using Npgsql;

namespace Ledger.Projections.Rebuild;

/// <summary>The read models once more, in a schema of their own, filled from the log.</summary>
internal sealed class Shadow : IAsyncDisposable
{
    private const string Schema = "ledger_rebuild";
    private const long AdvisoryLock = 0x4C65_6467_6572_02;
    private const int StreamsPerPage = 500;

    /// <summary>So many rows of a table are told of, the others counted: where all are wrong, they must not fill memory.</summary>
    internal const int MostTold = 200;

    /// <summary>Accounts that are folded at once: so many states fit into the memory that a rebuild may take.</summary>
    internal const int AccountsAtOnce = 100_000;

    private const int EventsPerPage = 5000;
    private const int PositionsPerWindow = 50_000;

    /// <summary>As many positions as may be left to catch up with while writers wait.</summary>
    private const int Few = 2000;

    private readonly ReadModel _model;
    private readonly TimeProvider _time;
    private readonly IProgress<RebuildProgress>? _progress;
    private readonly NpgsqlDataSource _log;
    private readonly NpgsqlConnection _connection;
    private readonly LogScan _scan;
    private readonly AccountWrites _writes = new();
    private readonly CardWrites _prices = new();
    private readonly InlineWriter _accountWriter;
    private readonly InlineWriter _wholeWriter;
    private readonly InlineWriter _priceWriter;
    private readonly string _live;
    private readonly ICollection<UnreadableStream>? _unreadable;
    private readonly HashSet<string> _left = new(StringComparer.Ordinal);
    private RateBook _book = RateBook.Empty;
    private bool _isLocked;
    private long _settled;
    private long _total;
    private long _done;
    private long _events;
    private long _eventsTotal;

    private Shadow(
        ReadModel model,
        TimeProvider time,
        IProgress<RebuildProgress>? progress,
        NpgsqlDataSource log,
        NpgsqlConnection connection,
        string live,
        ICollection<UnreadableStream>? unreadable
    )
    {
        (_model, _time, _progress, _log, _connection, _live) = (model, time, progress, log, connection, live);
        _unreadable = unreadable;
        _scan = new(log);
        // The state is always written, whatever the model: later events of an account are folded onto what is read back from here.
        _accountWriter = new(connection, [.. _writes.All.Where(write => model.HasUsage || write is not UsageRows)]);
        _wholeWriter = new(connection, [.. _writes.All.Where(write => write is not (UsageRows or TrailRows))]);
        _priceWriter = new(connection, _prices.All);
    }

    public static async Task<Shadow> OpenAsync(
        NpgsqlDataSource database,
        ReadModel model,
        TimeProvider time,
        IProgress<RebuildProgress>? progress,
        CancellationToken ct,
        ICollection<UnreadableStream>? unreadable = null,
        int accountsAtOnce = AccountsAtOnce
    )
    {
        // A few connections of its own: under the lock, everybody else's may be waiting for us.
        await using var template = database.CreateConnection();
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString)
        {
            ApplicationName = "ledger-rebuild",
            MaxPoolSize = 4,
            CommandTimeout = 0,

            // The log comes by the hundred megabytes: fewer calls, and fewer turns of two processes that wait for each other.
            ReadBufferSize = 1 << 16,
        };

        // One core is ours, the other one PostgreSQL's.
        settings.Options = string.Join(' ', settings.Options, "-c max_parallel_workers_per_gather=0").Trim();
        var log = NpgsqlDataSource.Create(template.CloneWith(settings.ConnectionString).ConnectionString);

        // Planned like a writer of the log; a crash may lose what is not swapped in yet.
        settings.Pooling = false;
        settings.Options =
            $"-c search_path={Schema} -c synchronous_commit=off -c plan_cache_mode=force_generic_plan -c jit=off"
            + " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off";
        var connection = template.CloneWith(settings.ConnectionString);
        try
        {
            await connection.OpenAsync(ct);
            await using (
                var take = new NpgsqlCommand("select pg_try_advisory_lock($1)", connection)
                {
                    Parameters = { new() { Value = AdvisoryLock } },
                }
            )
            {
                if (!(bool)(await take.ExecuteScalarAsync(ct))!)
                    throw new RebuildRefusedException(
                        "Another rebuild or comparison of read models runs on this database. Try again when it has ended."
                    );
            }

            string live;
            await using (var schema = log.CreateCommand("select quote_ident(current_schema())"))
                live = (string)(await schema.ExecuteScalarAsync(ct))!;

            // Whatever a run that was killed left behind goes first. Then the schema's whole history, as the live tables went through it.
            var steps = ReadModelMigrations
                .All.Where(migration => migration.Component == "read-models")
                .OrderBy(migration => migration.Number);
            await using (
                var create = new NpgsqlCommand(
                    $"drop schema if exists {Schema} cascade;\ncreate schema {Schema};\n{string.Join('\n', steps.Select(step => step.Sql))}",
                    connection
                )
            )
                await create.ExecuteNonQueryAsync(ct);
            return new(model, time, progress, log, connection, live, unreadable) { PartSize = accountsAtOnce };
        }
        catch
        {
            await connection.DisposeAsync();
            await log.DisposeAsync();
            throw;
        }
    }

    /// <summary>Drops what a run that was killed has left behind, unless another one is at work.</summary>
    public static async Task DropHalfAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var look = new NpgsqlCommand($"select to_regnamespace('{Schema}') is not null", connection);
        if (!(bool)(await look.ExecuteScalarAsync(ct))!)
            return;

        // The lock ends with the transaction.
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var take = new NpgsqlCommand($"select pg_try_advisory_xact_lock({AdvisoryLock})", connection);
        if (!(bool)(await take.ExecuteScalarAsync(ct))!)
            return;
        await using (var drop = new NpgsqlCommand($"drop schema if exists {Schema} cascade", connection))
            await drop.ExecuteNonQueryAsync(ct);
        await transaction.CommitAsync(ct);
    }

    /// <summary>How many accounts are folded at once.</summary>
    public int PartSize { get; init; } = AccountsAtOnce;

    /// <summary>Fills the shadow from the log, until little is left that was appended meanwhile.</summary>
    /// <param name="work">What else is done in the same pass.</param>
    /// <param name="seen">Told of every part, once it is folded.</param>
    /// <param name="ct">Gives up.</param>
    public async Task FillAsync(LogPassWork work, Func<LogPass, string?, string?, Task>? seen, CancellationToken ct)
    {
        if (_model.HasPrices)
            _book = await FollowCardsAsync(ct);
        if (_model.HasAccounts)
        {
            _settled = await _scan.SettledAsync(_time, ct);
            _total = await _scan.CountAsync(Account.StreamType, ct);
            _eventsTotal = await _scan.CountEventsAsync(ct);
            Report();

            // Rows of single hours and events come as they are done, in no order: their indexes are made at the end.
            foreach (var table in PassTables)
                await ExecuteAsync($"alter table {table.Name} drop constraint {table.Name}_pkey", ct);
            var (pass, above, behind) = (new LogPass(_log, work), (string?)null, new List<StreamHead>());
            foreach (var upTo in await LogPass.PartsAsync(_log, PartSize, ct))
            {
                await pass.RunAsync(above, upTo, _settled, SpillAsync, ct);
                if (seen is not null)
                    await seen(pass, above, upTo);
                await WritePartAsync(pass, above, upTo, behind, ct);
                above = upTo;
            }

            foreach (var table in PassTables)
                await ExecuteAsync($"alter table {table.Name} add primary key ({string.Join(", ", table.Key)})", ct);
            await CatchUpAsync(ct);

            // Whatever has not followed by now was left by the pass, or is missing.
            await FollowAsync(behind, ct);
        }

        foreach (var table in _model.Tables)
            await ExecuteAsync($"analyze {table.Name}", ct);
    }

    /// <summary>Counts events that a pass has folded.</summary>
    public void Count(int events)
    {
        _events += events;
        Report();
    }

    private static IReadOnlyList<ReadModelTable> PassTables { get; } =
    [.. ReadModel.Of("all").Tables.Where(table => table.Name is "usage_hourly" or "trail")];

    /// <summary>Writes rows of usage and of the trail, which never change once an hour is over.</summary>
    private async Task SpillAsync(PassRows rows, CancellationToken ct)
    {
        if (_model.HasUsage && rows.Usage.Count > 0)
            await UsageRows.CopyAsync(_connection, rows.Usage, ct);
        if (rows.Trail.Count > 0)
            await TrailRows.CopyAsync(_connection, rows.Trail, ct);
    }

    /// <summary>Writes the states of a part, in the order of their keys, by the statements that write them live.</summary>
    private async Task WritePartAsync(LogPass pass, string? above, string? upTo, List<StreamHead> behind, CancellationToken ct)
    {
        for (var after = above ?? ""; ; )
        {
            var heads = await _scan.ListAsync(Account.StreamType, after, StreamsPerPage, ct);
            if (heads.Count == 0)
                return;
            after = heads[^1].Id;
            var own = heads.Where(head => upTo is null || string.CompareOrdinal(head.Id, upTo) <= 0).ToList();
            var folded = own.Where(head => pass.Accounts.TryGetValue(head.Id, out var known) && known.Account.Version > 0)
                .Select(head => pass.Accounts[head.Id])
                .ToList();
            var hashes = await _scan.HashesAsync(
                [.. folded.Select(account => new StreamHead(account.StreamId, account.Account.Version))],
                ct
            );
            foreach (var account in folded)
            {
                if (hashes.TryGetValue(account.StreamId, out var hash))
                    _writes.AddWhole(1, account.Account, hash);
                else if (_unreadable is null)
                    throw new InvalidDataException($"{account.StreamId} version {account.Account.Version} has no hash.");
                else
                    Leave(account.StreamId, account.Account.Version, "It has no hash.");
            }

            if (folded.Count > 0)
                await _wholeWriter.WriteAsync(ct);
            behind.AddRange(
                own.Where(head =>
                    !pass.Accounts.TryGetValue(head.Id, out var known) || known.IsLeft || known.Account.Version < head.Version
                )
            );
            _done += own.Count;
            if (own.Count < heads.Count)
                return;
        }
    }

    /// <summary>
    /// Refuses where a view, a foreign key or the like of somebody else's depends on the live tables: it would be in the way of the swap, and would
    /// be lost with them if it were not.
    /// </summary>
    /// <exception cref="RebuildRefusedException">Something does; the message names it.</exception>
    public async Task RefuseDependentsAsync(CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            """
            with own as (
              select c.oid
              from pg_class c
              join pg_namespace n on n.oid = c.relnamespace
              where quote_ident(n.nspname) = $1
                and c.relname = any ($2)
            )
            select string_agg(distinct coalesce(v.name, pg_describe_object(d.classid, d.objid, d.objsubid)), ', ')
            from pg_depend d
            left join lateral (
              select
                r.ev_class,
                case w.relkind when 'm' then 'materialized view ' else 'view ' end || r.ev_class::regclass as name
              from pg_rewrite r
              join pg_class w on w.oid = r.ev_class
              where d.classid = 'pg_rewrite'::regclass
                and r.oid = d.objid
            ) v on true
            where d.refclassid = 'pg_class'::regclass
              and d.refobjid in (select o.oid from own o)
              and d.deptype = 'n'
              and coalesce(v.ev_class not in (select o.oid from own o), true)
              and not exists (
                select
                from pg_depend a
                where a.classid = d.classid
                  and a.objid = d.objid
                  and a.refclassid = 'pg_class'::regclass
                  and a.refobjid in (select o.oid from own o)
                  and a.deptype in ('a', 'i')
              )
            """,
            _connection
        )
        {
            Parameters =
            {
                new() { Value = _live },
                new() { Value = (string[])[.. _model.Tables.Select(table => table.Name), .. _model.Views] },
            },
        };
        if (await command.ExecuteScalarAsync(ct) is string dependents)
            throw new RebuildRefusedException(
                $"The read models are replaced by a rebuild, and something that is not the ledger's depends on them: {dependents}. "
                    + "Drop it, and make it again after the rebuild; nothing has been changed."
            );
    }

    /// <summary>Puts the shadow's tables in the place of the live ones.</summary>
    /// <exception cref="RebuildRefusedException">Something came to depend on them meanwhile.</exception>
    public async Task SwapAsync(CancellationToken ct)
    {
        try
        {
            await SwapLockedAsync(ct);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.DependentObjectsStillExist)
        {
            await ExecuteAsync("rollback", ct);
            await RefuseDependentsAsync(ct);
            throw;
        }
    }

    private Task SwapLockedAsync(CancellationToken ct) =>
        LockedAsync(
            "access exclusive",
            async grants =>
            {
                foreach (var table in _model.Tables)
                    await ExecuteAsync($"drop table {_live}.{table.Name}; alter table {Schema}.{table.Name} set schema {_live}", ct);
                foreach (var view in _model.Views)
                    await ExecuteAsync($"alter view {Schema}.{view} set schema {_live}", ct);
                if (grants.Length > 0)
                    await ExecuteAsync(grants, ct);
                return true;
            },
            ct
        );

    /// <summary>Compares the live tables with the shadow's.</summary>
    public async Task<IReadOnlyList<Drift>> CompareAsync(CancellationToken ct)
    {
        // Most of it without any lock, as of one moment: every account that stands at the same version on both sides. The few that were just
        // written to are caught up with and compared under a lock.
        var drifts = new List<Drift>();
        string[] moved = [];
        if (_model.HasAccounts)
        {
            await using var connection = await _log.OpenConnectionAsync(ct);
            await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);
            await using (
                var command = new NpgsqlCommand(
                    $"""
                    select coalesce(array_agg(coalesce(l.account_id, r.account_id)), '{"{}"}')
                    from {_live}.accounts l
                    full join {Schema}.accounts r on r.account_id = l.account_id
                    where l.version is distinct from r.version
                    """,
                    connection
                )
            )
                moved = (string[])(await command.ExecuteScalarAsync(ct))!;
            foreach (var table in _model.Tables.Where(table => table.IsOfAccounts))
                await CompareAsync(connection, table, "t.account_id <> all ($1) and t.account_id <> all ($2)", moved, drifts, ct);
        }

        await LockedAsync(
            "share",
            async _ =>
            {
                foreach (var table in _model.Tables.Where(table => table.IsOfAccounts || !_left.Contains(RateBook.StreamId)))
                    await CompareAsync(
                        _connection,
                        table,
                        table.IsOfAccounts ? "t.account_id = any ($1) and t.account_id <> all ($2)" : "$1 is not null and $2 is not null",
                        moved,
                        drifts,
                        ct
                    );
                return false;
            },
            ct
        );
        return drifts;
    }

    public async ValueTask DisposeAsync()
    {
        await _accountWriter.DisposeAsync();
        await _wholeWriter.DisposeAsync();
        await _priceWriter.DisposeAsync();
        try
        {
            // The lock is given back by name: closing a connection does not wait until the server has noticed.
            if (_connection.State == ConnectionState.Open)
                await ExecuteAsync(
                    $"rollback; drop schema if exists {Schema} cascade; select pg_advisory_unlock({AdvisoryLock})",
                    CancellationToken.None
                );
        }
        catch (NpgsqlException)
        {
            // The next run drops it.
        }

        await _connection.DisposeAsync();
        await _log.DisposeAsync();
    }

    /// <summary>
    /// Runs something while no writer can write, with everything caught up with. Writers wait behind us while we wait for the lock, so we give
    /// up soon, let them pass, and try again later; and that far below the time after which PostgreSQL looks for deadlocks.
    /// </summary>
    private async Task LockedAsync(string mode, Func<string, Task<bool>> work, CancellationToken ct)
    {
        for (var pause = TimeSpan.FromMilliseconds(50); ; pause = pause < TimeSpan.FromSeconds(2) ? pause * 2 : pause)
        {
            if (_model.HasAccounts)
                await CatchUpAsync(ct);
            try
            {
                await ExecuteAsync("begin; set local lock_timeout = '100ms'; set local synchronous_commit = on", ct);
                _isLocked = true;

                // Views first, as their readers do.
                var grants = await GrantsAsync(ct);
                if (mode == "access exclusive")
                {
                    foreach (var view in _model.Views)
                        await ExecuteAsync($"drop view {_live}.{view}", ct);
                }

                await ExecuteAsync(
                    $"lock table {string.Join(", ", _model.Tables.Select(table => $"{_live}.{table.Name}"))} in {mode} mode",
                    ct
                );

                // Every append that had begun has ended, and is visible; none begins.
                if (_model.HasPrices)
                    await FollowCardsAsync(ct);
                if (_model.HasAccounts)
                    await FollowAsync(await _scan.ChangedAsync(Account.StreamType, _settled, long.MaxValue, ct), ct);
                await ExecuteAsync(await work(grants) ? "commit" : "rollback", ct);
                return;
            }
            catch (PostgresException busy)
                when (busy.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected)
            {
                await ExecuteAsync("rollback", ct);
            }
            finally
            {
                _isLocked = false;
            }

            await Task.Delay(pause, _time, ct);
        }
    }

    /// <summary>Follows the log until little is left, or until writers are as fast as we are.</summary>
    private async Task CatchUpAsync(CancellationToken ct)
    {
        var (before, slow) = (long.MaxValue, 0);
        while (true)
        {
            var upTo = await _scan.SettledAsync(_time, ct);
            var behind = upTo - _settled;
            for (; _settled < upTo; _settled = Math.Min(_settled + PositionsPerWindow, upTo))
                await FollowAsync(
                    await _scan.ChangedAsync(Account.StreamType, _settled, Math.Min(_settled + PositionsPerWindow, upTo), ct),
                    ct
                );
            Report();
            slow = behind > before * 0.8 ? slow + 1 : 0;
            if (behind <= Few || slow == 3)
                return;
            before = behind;
        }
    }

    /// <summary>Brings accounts up to a version, from wherever they stand in the shadow.</summary>
    private async Task FollowAsync(IReadOnlyList<StreamHead> heads, CancellationToken ct)
    {
        foreach (var page in heads.Where(head => !_left.Contains(head.Id)).Chunk(StreamsPerPage))
        {
            var ids = page.ToDictionary(head => head.Id, head => new AccountId(head.Id["account-".Length..]), StringComparer.Ordinal);
            var states = await AccountSnapshots.ReadAsync(_connection, ids.Values, inTransaction: true, null, ct);
            var (ranges, room) = (new List<StreamRange>(), (long)EventsPerPage);
            foreach (var (stream, version) in page)
            {
                for (var from = states.TryGetValue(ids[stream], out var state) ? state.Account.Version : 0; from < version; )
                {
                    var count = Math.Min(version - from, room);
                    ranges.Add(new(stream, from, from + count));
                    (from, room) = (from + count, room - count);
                    if (room > 0)
                        continue;
                    await WriteAsync(ranges, ids, states, ct);
                    room = EventsPerPage;

                    // Whoever has left a stream need not ask for as many events as its row says that there are.
                    if (_left.Contains(stream))
                        break;
                }
            }

            if (ranges.Count > 0)
                await WriteAsync(ranges, ids, states, ct);
        }
    }

    private async Task WriteAsync(
        List<StreamRange> ranges,
        Dictionary<string, AccountId> ids,
        Dictionary<AccountId, AccountSnapshot> states,
        CancellationToken ct
    )
    {
        var events = (await _scan.ReadAsync(ranges, ct)).ToLookup(stored => stored.StreamId, StringComparer.Ordinal);
        var steps = new List<Step>();
        foreach (var range in ranges.Where(range => !_left.Contains(range.StreamId)))
        {
            var id = ids[range.StreamId];
            var before = states.GetValueOrDefault(id) ?? AccountSnapshot.Missing(id);
            var (account, hash, facts) = (before.Account, before.LastHash, new List<Fact>());
            try
            {
                foreach (var stored in events[range.StreamId])
                {
                    var fact = LedgerEvents.ToFact(stored);
                    if (fact.Version != account.Version + 1)
                        break;
                    account = Account.Evolve(account, fact);
                    hash = stored.ReadHash();
                    facts.Add(fact);
                }

                if (account.Version != range.UpTo)
                    throw new InvalidDataException($"{range.StreamId} has no version {account.Version + 1}.");
            }
            catch (Exception e) when (_unreadable is not null && UnreadableStream.IsMeantBy(e))
            {
                Leave(range.StreamId, account.Version + 1, e.Message);
                continue;
            }
            catch (Exception e) when (UnreadableStream.IsMeantBy(e) && e is not (UnknownEventTypeException or InvalidDataException))
            {
                throw new InvalidDataException($"{range.StreamId} version {account.Version + 1}: {e.Message}", e);
            }

            steps.Add(new(range.StreamId, before.Account, account, facts, hash));
        }

        try
        {
            await WriteAsync(steps, states, ct);
        }
        catch (PostgresException e) when (_unreadable is not null && !Outage.IsState(e.SqlState))
        {
            // Rows that no table takes, such as a pocket overdrawn: one by one, so that only the stream is left out whose they are.
            foreach (var step in steps)
            {
                try
                {
                    await WriteAsync([step], states, ct);
                }
                catch (PostgresException refused) when (!Outage.IsState(refused.SqlState))
                {
                    Leave(step.StreamId, step.Before.Version + 1, $"Its rows are not lawful: {refused.MessageText}");
                }
            }
        }

        ranges.Clear();
    }

    private async Task WriteAsync(IReadOnlyList<Step> steps, Dictionary<AccountId, AccountSnapshot> states, CancellationToken ct)
    {
        _writes.Clear();
        foreach (var step in steps)
            _writes.Add(1, step.Before, step.After, step.Facts, step.Hash);
        if (_isLocked)
            await ExecuteAsync("savepoint step", ct);
        try
        {
            await _accountWriter.WriteAsync(ct);
        }
        catch (PostgresException e) when (_isLocked && !Outage.IsState(e.SqlState))
        {
            await ExecuteAsync("rollback to savepoint step", ct);
            throw;
        }

        foreach (var step in steps)
        {
            states[step.After.Id] = new(step.After, step.Hash);
            _events += step.Facts.Count;
        }
    }

    /// <summary>What some events did to one account.</summary>
    private sealed record Step(string StreamId, Account Before, Account After, List<Fact> Facts, ReadOnlyMemory<byte> Hash);

    /// <summary>Leaves a stream out: what rests on it is not compared.</summary>
    private void Leave(string stream, long version, string message)
    {
        if (_left.Add(stream))
            _unreadable!.Add(new(stream, version, message));
    }

    private static bool IsOfAccount(string stream) => stream.StartsWith("account-", StringComparison.Ordinal);

    /// <summary>Writes the prices of the cards that were published since.</summary>
    /// <returns>What the shadow holds then; not kept by itself, since a transaction may take it back.</returns>
    private async Task<RateBook> FollowCardsAsync(CancellationToken ct)
    {
        var book = _book;
        if (_left.Contains(RateBook.StreamId))
            return book;
        try
        {
            return await FollowCardsAsync(book, ct);
        }
        catch (Exception e) when (_unreadable is not null && UnreadableStream.IsMeantBy(e))
        {
            Leave(RateBook.StreamId, book.Version + 1, e.Message);
            return book;
        }
    }

    private async Task<RateBook> FollowCardsAsync(RateBook book, CancellationToken ct)
    {
        var log = new NpgsqlEventLog(_log, []) { IsPatient = true };
        while (await log.ReadStreamAsync(RateBook.StreamId, book.Version, 100, ct) is { Count: > 0 } page)
        {
            foreach (var stored in page)
            {
                book = RateBook.Evolve(book, (RateCardEvent)LedgerEvents.Types.Read(stored), stored.At);
                _prices.Add(1, book.Cards[^1]);
                _events++;
            }

            await _priceWriter.WriteAsync(ct);
        }

        return book;
    }

    /// <summary>Who else may read the live tables and views: that stays when they are replaced.</summary>
    private async Task<string> GrantsAsync(CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(
            """
            select coalesce(
              string_agg(
                format(
                  'grant %s%s on %I.%I to %s%s',
                  a.privilege_type,
                  a.of_column,
                  n.nspname,
                  c.relname,
                  case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
                  case when a.is_grantable then ' with grant option' else '' end
                ),
                '; '
              ),
              ''
            )
            from pg_class c
            join pg_namespace n on n.oid = c.relnamespace
            cross join lateral (
              select t.grantee, t.privilege_type, t.is_grantable, '' as of_column
              from aclexplode(c.relacl) t
              union all
              select g.grantee, g.privilege_type, g.is_grantable, format(' (%I)', b.attname)
              from pg_attribute b
              cross join lateral aclexplode(b.attacl) g
              where b.attrelid = c.oid
                and not b.attisdropped
            ) a
            where quote_ident(n.nspname) = $1
              and c.relname = any ($2)
              and a.grantee <> c.relowner
            """,
            _connection
        )
        {
            Parameters =
            {
                new() { Value = _live },
                new() { Value = (string[])[.. _model.Tables.Select(table => table.Name), .. _model.Views] },
            },
        };
        return (string)(await command.ExecuteScalarAsync(ct))!;
    }

    private async Task CompareAsync(
        NpgsqlConnection connection,
        ReadModelTable table,
        string scope,
        string[] accounts,
        List<Drift> drifts,
        CancellationToken ct
    )
    {
        await using var command = new NpgsqlCommand(
            $"""
            select
              jsonb_build_object({string.Join(", ", table.Key.Select(column => $"'{column}', coalesce(l.{column}, r.{column})"))})::text,
              case when l.{table.Key[0]} is not null then to_jsonb(l)::text end,
              case when r.{table.Key[0]} is not null then to_jsonb(r)::text end
            from (select t.* from {_live}.{table.Name} t where {scope}) l
            full join (select t.* from {Schema}.{table.Name} t where {scope}) r on {string.Join(
                " and ",
                table.Key.Select(column => $"r.{column} = l.{column}")
            )}
            where (l.*) is distinct from (r.*)
            order by {string.Join(", ", table.Key.Select(column => $"coalesce(l.{column}, r.{column})"))}
            """,
            connection
        )
        {
            Parameters =
            {
                new() { Value = accounts },
                new() { Value = _left.Where(IsOfAccount).Select(stream => stream["account-".Length..]).ToArray() },
            },
        };
        await using var rows = await command.ExecuteReaderAsync(ct);
        var (told, more) = (0, 0L);
        while (await rows.ReadAsync(ct))
        {
            if (told == MostTold)
            {
                more++;
                continue;
            }

            told++;
            drifts.Add(
                new(table.Name, rows.GetString(0), rows.IsDBNull(1) ? null : rows.GetString(1), rows.IsDBNull(2) ? null : rows.GetString(2))
            );
        }

        if (more > 0)
            drifts.Add(new(table.Name, string.Create(CultureInfo.InvariantCulture, $"and {more} more"), "", ""));
    }

    private async Task ExecuteAsync(string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, _connection);
        await command.ExecuteNonQueryAsync(ct);
    }

    private void Report() => _progress?.Report(new(_model.Name, Math.Min(_done, _total), _total, _events, _eventsTotal));
}
