using Ledger.Api.Hosting;
using Ledger.Testing;
using Microsoft.Extensions.Logging.Abstractions;

// A process that holds an embedded PostgreSQL as the server does: started, killed or asked to stop by a test (StandInServer).
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
