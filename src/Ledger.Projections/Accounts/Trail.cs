using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.EventStore;
using Npgsql;

namespace Ledger.Projections.Accounts;

/// <summary>One entry of an account's access trail.</summary>
/// <param name="Stored">The event.</param>
/// <param name="Event">What happened; null where a newer server wrote it.</param>
/// <param name="Who">Who did it, and from where.</param>
public sealed record TrailEntry(StoredEvent Stored, AccountEvent? Event, EventHeaders Who);

/// <summary>Who did what to which key or account, when, and from where: read from the log.</summary>
/// <param name="database">Connections for reading.</param>
/// <param name="log">The log.</param>
public sealed class Trail(NpgsqlDataSource database, IEventLog log)
{
    /// <summary>Entries of an account before a version, newest first.</summary>
    public async Task<IReadOnlyList<TrailEntry>> ReadAsync(AccountId account, long before, int limit, CancellationToken ct)
    {
        await using var command = database.CreateCommand(
            """
            select
              t.event_id
            from trail t
            where t.account_id = $1
              and t.version < $2
            order by t.version desc
            limit $3
            """
        );
        command.Parameters.Add(new() { Value = account.Value });
        command.Parameters.Add(new() { Value = before });
        command.Parameters.Add(new() { Value = limit });
        var ids = new List<(string, Guid)>();
        await using (var rows = await command.ExecuteReaderAsync(ct))
        {
            while (await rows.ReadAsync(ct))
                ids.Add((account.StreamId, rows.GetGuid(0)));
        }

        return
        [
            .. (await log.FindAsync(ids, ct))
                .OrderByDescending(stored => stored.Version)
                .Select(stored => new TrailEntry(
                    stored,
                    (AccountEvent?)LedgerEvents.Types.Find(stored),
                    EventHeaders.Read(stored.Headers)
                )),
        ];
    }
}
