using System.Text;
using System.Text.Json.Nodes;
using Ledger.Api.Audit;
using Ledger.Api.Cli;
using Ledger.Domain.Keys;
using Ledger.EventStore;
using Ledger.EventStore.Checkpoints;
using Ledger.Projections.Audit;
using Ledger.Projections.Rebuild;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Ledger.Api.Tests.Audit;

/// <summary>An application whose log two checkpoints cover, and somebody who can rewrite its whole database.</summary>
internal sealed class AuditWorld(LedgerApp app) : IAsyncDisposable
{
    public LedgerApp App => app;

    public TestAccount Ada { get; private set; } = null!;

    public TestAccount Bob { get; private set; } = null!;

    public string AdaProvisioning { get; private set; } = "";

    public NpgsqlDataSource Database => app.Services.GetRequiredService<NpgsqlDataSource>();

    public CheckpointPublisher Publisher => app.Services.GetRequiredService<CheckpointPublisher>();

    public CheckpointFile File => app.Services.GetRequiredService<CheckpointFile>();

    public LogCheckpoints Checkpoints => app.Services.GetRequiredService<LogCheckpoints>();

    public static async Task<AuditWorld> CreateAsync(IReadOnlyDictionary<string, string>? settings = null)
    {
        var world = new AuditWorld(await LedgerApp.StartAsync(settings: settings));
        world.Ada = await world.App.OpenAccountAsync(credits: 100);
        (_, world.AdaProvisioning) = await world.App.CreateKeyAsync(world.Ada.Id, KeyKind.Provisioning);
        await world.SpendAsync(world.Ada, "a1");
        (await world.Publisher.PublishAsync(default)).ShouldBe(1);
        world.App.Clock.Advance(TimeSpan.FromMinutes(1));
        world.Bob = await world.App.OpenAccountAsync(credits: 100);
        await world.SpendAsync(world.Bob, "b1");
        await world.SpendAsync(world.Ada, "a2");
        await world.SpendAsync(world.Bob, "b2");
        (await world.Publisher.PublishAsync(default)).ShouldBe(1);
        return world;
    }

    public async Task<string> SpendAsync(TestAccount account, string reference, object? metadata = null) => (
            await app.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                metadata is null
                    ? new
                    {
                        tool = "chat",
                        units = 2,
                        reference,
                    }
                    : (object)
                        new
                        {
                            tool = "chat",
                            units = 2,
                            reference,
                            metadata,
                        }
            )
        ).ShouldBe(200).Header("x-ledger-spend-id")!;

    /// <summary>The file as somebody else has kept it.</summary>
    public CheckpointFile Keep()
    {
        var kept = Path.Combine(app.DataFolder, "kept.jsonl");
        System.IO.File.Copy(File.Path, kept, overwrite: true);
        return new(kept);
    }

    /// <summary>An audit by every check; what checkpoints tell does not depend on who reads the log for them.</summary>
    public async Task<AuditReport> AuditAsync(CheckpointFile? outside)
    {
        var report = await app.Services.GetRequiredService<Auditor>().RunAsync(outside, null, default);
        var alone = await new Auditor(Database, TimeProvider.System, [new CheckpointCheck()]).RunAsync(outside, null, default);
        report.Findings.Where(finding => finding.Check == "checkpoints").ShouldBe(alone.Findings);
        (report.Outside, report.Inside).ShouldBe((alone.Outside, alone.Inside));
        report.Checks[0].Counted.ShouldBe(alone.Checks[0].Counted);
        return report;
    }

    /// <summary>Changes an event and makes its stream's whole chain anew, so that it holds.</summary>
    public async Task RewriteAsync(string stream, long version, Action<JsonObject> change)
    {
        var hash = HashChain.Start.ToArray();
        foreach (var stored in await app.Services.GetRequiredService<IEventLog>().ReadStreamAsync(stream, 0, 1000, default))
        {
            var data = JsonNode.Parse(stored.Data)!.AsObject();
            if (stored.Version == version)
                change(data);
            var headers = JsonNode.Parse(stored.Headers!)!.AsObject();
            headers["prev"] = Convert.ToBase64String(hash);
            hash = HashChain.Hash(
                stream,
                stored.Version,
                stored.Id,
                stored.Type,
                stored.At,
                EventHeaders.Read(stored.Headers).Covered,
                Encoding.UTF8.GetBytes(data.ToJsonString()),
                hash
            );
            headers["hash"] = Convert.ToBase64String(hash);
            await using var command = Database.CreateCommand(
                "update mt_events set data = $1::jsonb, headers = $2::jsonb where seq_id = $3"
            );
            command.Parameters.Add(new() { Value = data.ToJsonString() });
            command.Parameters.Add(new() { Value = headers.ToJsonString() });
            command.Parameters.Add(new() { Value = stored.Position });
            await command.ExecuteNonQueryAsync();
        }
    }

    /// <summary>Makes read models and checkpoints fit what the log has become: what only somebody can do who has the database and the key.</summary>
    public async Task CoverUpAsync()
    {
        await new Rebuilder(Database, TimeProvider.System).RebuildAsync("all", null, default);
        var before = new List<SignedCheckpoint>();
        await foreach (var checkpoint in Checkpoints.AllAsync(default))
            before.Add(checkpoint);
        await Database.ExecuteAsync("delete from log_checkpoints");
        using var signer = await app.Services.GetRequiredService<CheckpointKeyRing>().OpenAsync(default);
        await (await TurnAsync()).DisposeAsync();
        await using var turn = await TurnAsync();
        foreach (var checkpoint in before)
            await turn.MakeAsync(checkpoint.Checkpoint.At, signer.Key.Id, signer.Sign, 1, default);
    }

    /// <summary>The command line beside it, with its data folder.</summary>
    public async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync(
            [.. arguments, "--ConnectionStrings:Ledger=" + app.Database, "--Ledger:Data=" + app.DataFolder],
            new(output, error, IsTerminal: false),
            CancellationToken.None
        );
        return (code, output.ToString(), error.ToString());
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    private async Task<CheckpointTurn> TurnAsync()
    {
        // The application's publisher keeps its turn until it stops; an attacker would end its session.
        await Database.ExecuteAsync(
            "select pg_terminate_backend(l.pid) from pg_locks l where l.locktype = 'advisory' and l.pid <> pg_backend_pid() and l.database = (select d.oid from pg_database d where d.datname = current_database()) and l.objsubid = 1"
        );
        CheckpointTurn? turn = null;
        await Eventually.IsSoAsync(async () => (turn = await CheckpointTurn.TryTakeAsync(Database, default)) is not null);
        return turn!;
    }
}
