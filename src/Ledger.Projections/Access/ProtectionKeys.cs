using Npgsql;

namespace Ledger.Projections.Access;

/// <summary>The primary table <c>protection_keys</c>. Synchronous, as its one caller, data protection, is.</summary>
/// <param name="database">Connections.</param>
public sealed class ProtectionKeys(NpgsqlDataSource database)
{
    /// <summary>Every key's XML.</summary>
    public IReadOnlyList<string> List()
    {
        using var command = database.CreateCommand("select k.xml from protection_keys k order by k.name");
        var keys = new List<string>();
        using var rows = command.ExecuteReader();
        while (rows.Read())
            keys.Add(rows.GetString(0));
        return keys;
    }

    /// <summary>Keeps a key.</summary>
    public void Add(string name, string xml)
    {
        using var command = database.CreateCommand(
            "insert into protection_keys (name, xml) values ($1, $2) on conflict (name) do update set xml = excluded.xml"
        );
        command.Parameters.Add(new() { Value = name });
        command.Parameters.Add(new() { Value = xml });
        command.ExecuteNonQuery();
    }
}
