using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.EventStore;
using Ledger.Projections.Accounts;
using Npgsql;

namespace Ledger.Projections.Rebuild;

/// <summary>
/// Compares state checkpoints with the log, and mends them. What a checkpoint must hold follows from events that never change, so neither
/// needs a lock or a moment of rest; a checkpoint that is missing is no fault.
/// </summary>
internal sealed class CheckpointReview(
    NpgsqlDataSource database,
    IProgress<RebuildProgress>? progress,
    ICollection<UnreadableStream>? unreadable = null
)
{
    private const string Model = "checkpoints";
    private const int AccountsPerPage = 500;
    private const int EventsPerPage = 1000;
    private readonly AccountCheckpoints _checkpoints = new(database);
    private readonly NpgsqlEventLog _log = new(database, []) { IsPatient = true };
    private readonly List<Drift> _drifts = [];
    private long _total;
    private long _done;
    private long _events;
    private long _version;
    private long _after;

    /// <summary>What was found so far.</summary>
    public IReadOnlyList<Drift> Drifts => _drifts;

    /// <summary>Whether a pass mends, and does not only compare.</summary>
    public bool Mends { get; init; }

    /// <summary>Begins what a pass over the log does: finds, or deletes, checkpoints that nobody can use.</summary>
    public Task BeginAsync(CancellationToken ct) => Mends ? DeleteUselessAsync(ct) : FindUselessAsync(ct);

    /// <summary>The versions of which some accounts have checkpoints, the latest of each account first.</summary>
    /// <param name="above">The stream below the first; null for the first of all.</param>
    /// <param name="upTo">The last stream; null for the last of all.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<IReadOnlyList<(string Stream, long Version)>> KeptAsync(string? above, string? upTo, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              'account-' || c.account_id,
              c.version
            from account_checkpoints c
            where c.format = $1
              and ($2 is null or 'account-' || c.account_id > $2 collate "C")
              and ($3 is null or 'account-' || c.account_id <= $3 collate "C")
            order by
              c.account_id,
              c.version desc
            """
        );
        command.CommandTimeout = 0;
        command.Parameters.Add(new() { Value = AccountCheckpoints.Format });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = above, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Text });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = upTo, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Text });
        var kept = new List<(string, long)>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            kept.Add((rows.GetString(0), rows.GetInt64(1)));
        return kept;
    }

    /// <summary>Whether an account stands at a version that has a checkpoint, or should have one.</summary>
    public bool IsDue(FoldedAccount account)
    {
        var version = account.Account.Version;
        if (account.Kept is { } kept)
        {
            while (kept.TryPeek(out var next) && next < version)
                kept.Pop();
            if (kept.TryPeek(out var kin) && kin < version + _checkpoints.Every)
                return kin == version;
        }

        return Mends && version % _checkpoints.Every == 0;
    }

    /// <summary>Compares, or mends, the checkpoint of a state.</summary>
    public async Task TakeAsync(Account account, CancellationToken ct)
    {
        var hashes = await new LogScan(database).HashesAsync([new(account.Id.StreamId, account.Version)], ct);
        if (!hashes.TryGetValue(account.Id.StreamId, out var hash))
            throw new InvalidDataException($"{account.Id.StreamId} version {account.Version} has no hash.");
        var snapshot = new AccountSnapshot(account, hash);
        if (!Mends)
        {
            if (await DriftAsync(snapshot, ct) is { } drift)
                _drifts.Add(drift);
        }
        else if (await DriftAsync(snapshot, ct) is not null || !await ExistsAsync(account, ct))
        {
            await _checkpoints.SaveAsync([snapshot], ct);
        }
    }

    /// <summary>Goes over the rest of a stream event by event, where a pass has left it.</summary>
    public async Task FollowAsync(FoldedAccount account, CancellationToken ct)
    {
        await using var command = database.CreateCommand("select s.version from mt_streams s where s.id = $1");
        command.Parameters.Add(new() { Value = account.StreamId });
        if (await command.ExecuteScalarAsync(ct) is not long head)
            return;
        _after = account.Account.Version;
        try
        {
            await ReviewAsync(account.Account.Id, head, Mends, ct);
        }
        catch (Exception e) when (unreadable is not null && UnreadableStream.IsMeantBy(e))
        {
            if (unreadable.All(known => known.StreamId != account.StreamId))
                unreadable.Add(new(account.StreamId, _version, e.Message));
        }
        finally
        {
            _after = 0;
        }
    }

    private async Task<bool> ExistsAsync(Account account, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            "select exists (select from account_checkpoints c where c.account_id = $1 and c.version = $2 and c.format = $3)"
        );
        command.Parameters.Add(new() { Value = account.Id.Value });
        command.Parameters.Add(new() { Value = account.Version });
        command.Parameters.Add(new() { Value = AccountCheckpoints.Format });
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>The checkpoints that do not hold what the log says.</summary>
    public async Task<IReadOnlyList<Drift>> CompareAsync(CancellationToken ct)
    {
        await ReviewAsync(mend: false, ct);
        return _drifts;
    }

    /// <summary>Deletes checkpoints that nobody can use, rewrites those that are wrong, and writes those that are missing.</summary>
    public async Task MendAsync(CancellationToken ct)
    {
        await DeleteUselessAsync(ct);
        await ReviewAsync(mend: true, ct);
    }

    private async Task DeleteUselessAsync(CancellationToken ct)
    {
        await using var useless = database.CreateCommand($"delete from account_checkpoints c where c.format <> $1 or {HasNoEvent}");
        useless.CommandTimeout = 0;
        useless.Parameters.Add(new() { Value = AccountCheckpoints.Format });
        await useless.ExecuteNonQueryAsync(ct);
    }

    private const string HasNoEvent = """
        not exists (
          select
          from mt_streams s
          where s.id = 'account-' || c.account_id
            and s.version >= c.version
            and c.version > 0
        )
        """;

    private async Task ReviewAsync(bool mend, CancellationToken ct)
    {
        await FindUselessAsync(ct);
        _total = (await ListAsync("", int.MaxValue, ct)).Count;
        Report();
        for (var after = ""; await ListAsync(after, AccountsPerPage, ct) is { Count: > 0 } heads; after = heads[^1].Id)
        {
            foreach (var head in heads)
            {
                try
                {
                    await ReviewAsync(new(head.Id["account-".Length..]), head.Version, mend, ct);
                }
                catch (Exception e) when (unreadable is not null && UnreadableStream.IsMeantBy(e))
                {
                    if (unreadable.All(known => known.StreamId != head.Id))
                        unreadable.Add(new(head.Id, _version, e.Message));
                }

                _done++;
                Report();
            }
        }
    }

    private async Task ReviewAsync(AccountId id, long upTo, bool mend, CancellationToken ct)
    {
        var kept = await VersionsAsync(id, ct);
        var last = mend ? upTo / _checkpoints.Every * _checkpoints.Every : 0;
        if (kept.Count > 0)
            last = Math.Max(last, Math.Min(upTo, kept.Max));
        for (var snapshot = AccountSnapshot.Missing(id); snapshot.Account.Version < last; )
        {
            var limit = (int)Math.Min(EventsPerPage, last - snapshot.Account.Version);
            var page = await _log.ReadStreamAsync(id.StreamId, snapshot.Account.Version, limit, ct);
            if (page.Count == 0)
                throw new InvalidDataException($"{id.StreamId} has no version {snapshot.Account.Version + 1}.");
            foreach (var stored in page)
            {
                _version = snapshot.Account.Version + 1;
                snapshot = snapshot.Then(stored);
                _events++;
                var version = snapshot.Account.Version;
                if (version <= _after)
                    continue;
                if (kept.Contains(version))
                {
                    if (await DriftAsync(snapshot, ct) is not { } drift)
                        continue;
                    _drifts.Add(drift);
                    if (mend)
                        await _checkpoints.SaveAsync([snapshot], ct);
                }
                else if (
                    mend
                    && version % _checkpoints.Every == 0
                    && kept.GetViewBetween(version, version + _checkpoints.Every - 1).Count == 0
                )
                {
                    await _checkpoints.SaveAsync([snapshot], ct);
                }
            }
        }
    }

    /// <summary>Accounts that have checkpoints or should have, in the order of ids.</summary>
    private async Task<IReadOnlyList<StreamHead>> ListAsync(string after, int limit, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              s.id,
              coalesce(s.version, 0)
            from mt_streams s
            where s.id > $1
              and s.type = $2
              and (
                s.version >= $3
                or exists (
                  select
                  from account_checkpoints c
                  where c.account_id = substr(s.id, length('account-') + 1)
                )
              )
            order by s.id
            limit $4
            """
        );
        command.CommandTimeout = 0;
        command.Parameters.Add(new() { Value = after });
        command.Parameters.Add(new() { Value = Account.StreamType });
        command.Parameters.Add(new() { Value = (long)_checkpoints.Every });
        command.Parameters.Add(new() { Value = limit });
        var heads = new List<StreamHead>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            heads.Add(new(rows.GetString(0), rows.GetInt64(1)));
        return heads;
    }

    private async Task<SortedSet<long>> VersionsAsync(AccountId id, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            "select c.version from account_checkpoints c where c.account_id = $1 and c.format = $2"
        );
        command.Parameters.Add(new() { Value = id.Value });
        command.Parameters.Add(new() { Value = AccountCheckpoints.Format });
        var versions = new SortedSet<long>();
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            versions.Add(rows.GetInt64(0));
        return versions;
    }

    /// <summary>How the checkpoint of a state differs from it; null where it does not, or has gone.</summary>
    private async Task<Drift?> DriftAsync(AccountSnapshot snapshot, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              jsonb_build_object('account_id', l.account_id, 'version', l.version)::text,
              to_jsonb(l)::text,
              to_jsonb(r)::text
            from account_checkpoints l
            cross join lateral (select l.account_id, l.version, l.format, $3 as at, $4 as last_hash, $5 as state) r
            where l.account_id = $1
              and l.version = $2
              and l.format = $6
              and (l.*) is distinct from (r.*)
            """
        );
        command.Parameters.Add(new() { Value = snapshot.Account.Id.Value });
        command.Parameters.Add(new() { Value = snapshot.Account.Version });
        command.Parameters.Add(new() { Value = snapshot.Account.LastAt });
        command.Parameters.Add(new() { Value = snapshot.LastHash.ToArray() });
        command.Parameters.Add(new() { Value = AccountState.Write(snapshot.Account), NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Jsonb });
        command.Parameters.Add(new() { Value = AccountCheckpoints.Format });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? new("account_checkpoints", row.GetString(0), row.GetString(1), row.GetString(2)) : null;
    }

    /// <summary>Checkpoints of versions that their streams do not have.</summary>
    private async Task FindUselessAsync(CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            $"""
            select
              jsonb_build_object('account_id', c.account_id, 'version', c.version)::text,
              to_jsonb(c)::text
            from account_checkpoints c
            where c.format = $1
              and {HasNoEvent}
            order by
              c.account_id,
              c.version
            """
        );
        command.CommandTimeout = 0;
        command.Parameters.Add(new() { Value = AccountCheckpoints.Format });
        await using var rows = await command.ExecuteReaderAsync(ct);
        while (await rows.ReadAsync(ct))
            _drifts.Add(new("account_checkpoints", rows.GetString(0), rows.GetString(1), null));
    }

    private void Report() => progress?.Report(new(Model, _done, _total, _events));
}
