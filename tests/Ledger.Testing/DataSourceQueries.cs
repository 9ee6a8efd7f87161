using Npgsql;

namespace Ledger.Testing;

/// <summary>One-line queries for tests that look into the database.</summary>
public static class DataSourceQueries
{
    extension(NpgsqlDataSource database)
    {
        /// <summary>The one value of a query.</summary>
        public async Task<T> QueryAsync<T>(string sql)
        {
            await using var command = database.CreateCommand(sql);
            return (T)(await command.ExecuteScalarAsync())!;
        }

        /// <summary>The first column of a query, row by row.</summary>
        public async Task<IReadOnlyList<string>> LinesAsync(string sql)
        {
            await using var command = database.CreateCommand(sql);
            await using var rows = await command.ExecuteReaderAsync();
            var lines = new List<string>();
            while (await rows.ReadAsync())
                lines.Add(rows.GetString(0));
            return lines;
        }

        /// <summary>Runs a statement, however long it takes: a million rows beside other tests take their time.</summary>
        public async Task ExecuteAsync(string sql)
        {
            await using var command = database.CreateCommand(sql);
            command.CommandTimeout = 0;
            await command.ExecuteNonQueryAsync();
        }
    }
}
