using Ledger.Api.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ledger.Testing;

/// <summary>A process that holds an embedded PostgreSQL as the server does, for <see cref="StandInServer"/>; not named Program, which is the API's.</summary>
internal static class StandInProgram
{
    private static async Task<int> Main(string[] args)
    {
        try
        {
            await using var postgres = await EmbeddedPostgres.StartAsync(
                new EmbeddedPostgresOptions(args[0]) { Settings = PostgresFixture.Small },
                NullLogger.Instance,
                TimeProvider.System,
                CancellationToken.None
            );
            Console.WriteLine(postgres.ProcessId);
            Console.WriteLine(postgres.ConnectionString);
            Console.In.ReadLine();
            return 0;
        }
        catch (EmbeddedPostgresException e)
        {
            Console.WriteLine(e.Message);
            return 1;
        }
    }
}
