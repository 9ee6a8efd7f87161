using System.Text.Json;
using Ledger.EventStore.Checkpoints;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Audit;

/// <summary>Signed checkpoints: made in order, once, on one node, and kept outside.</summary>
public sealed class CheckpointTests
{
    [Fact]
    public async Task A_checkpoint_covers_what_is_new_and_is_served_kept_and_verified()
    {
        await using var world = await AuditWorld.CreateAsync();
        (await world.Publisher.PublishAsync(default)).ShouldBe(0);
        var list = (await world.App.GetAsync("/v1/checkpoints")).ShouldBe(200).Json;
        list.GetProperty("next").ValueKind.ShouldBe(JsonValueKind.Null);
        var data = list.GetProperty("data").EnumerateArray().ToList();
        data.Count.ShouldBe(2);
        var keys = (await world.App.GetAsync("/v1/checkpoints/keys")).ShouldBe(200).Json.GetProperty("keys");
        var key = CheckpointText.ReadKey(keys[0]);
        keys[0].TryGetProperty("d", out _).ShouldBeFalse();
        SignedCheckpoint[] read = [.. data.Select(CheckpointText.Read)];
        read.ShouldAllBe(signed => signed.IsSignedBy(key));
        read[0].Checkpoint.After.ShouldBe(0);
        read[1].Checkpoint.After.ShouldBe(read[0].Checkpoint.Position);
        read[1].Checkpoint.Previous.ToArray().ShouldBe(read[0].Checkpoint.Hash());
        read[1].Checkpoint.Position.ShouldBe((long)(await world.App.QueryAsync("select max(seq_id) from mt_events"))!);
        read.Sum(signed => signed.Checkpoint.Count).ShouldBe((long)(await world.App.QueryAsync("select count(*) from mt_events"))!);

        // The file has the same, with the key before them.
        var lines = world.File.Read().ToList();
        lines[0].Key!.Id.ShouldBe(key.Id);
        lines.Skip(1).Select(line => line.Checkpoint!.Checkpoint.Hash()).ShouldBe(read.Select(signed => signed.Checkpoint.Hash()));
        lines.Skip(1).ShouldAllBe(line => line.Checkpoint!.HasSegments);

        var first = (await world.App.GetAsync("/v1/checkpoints?limit=1")).ShouldBe(200);
        first.Text("next").ShouldBe("1");
        (await world.App.GetAsync("/v1/checkpoints?after=1")).ShouldBe(200).Json.GetProperty("data").GetArrayLength().ShouldBe(1);
        (await world.App.GetAsync("/v1/checkpoints/2")).ShouldBe(200).Body.ShouldBe(data[1].GetRawText());
        (await world.App.GetAsync("/v1/checkpoints/3")).ShouldBe(404).Text("error", "code").ShouldBe("checkpoint_not_found");
        (await world.App.GetAsync("/v1/checkpoints/one")).ShouldBe(404);
        foreach (var wrong in (string[])["after=x", "after=-1", "limit=0", "limit=1001"])
            (await world.App.GetAsync("/v1/checkpoints?" + wrong)).ShouldBe(400).Text("error", "code").ShouldBe("invalid_request");

        // The private key is not to be had from the table alone.
        var stored = (await world.Checkpoints.ListKeysAsync(default)).ShouldHaveSingleItem();
        using var pair = System.Security.Cryptography.ECDsa.Create();
        Should.Throw<System.Security.Cryptography.CryptographicException>(() => pair.ImportPkcs8PrivateKey(stored.PrivateKey, out _));
    }

    [Fact]
    public async Task A_commit_that_is_late_is_waited_for_and_gaps_are_signed()
    {
        await using var world = await AuditWorld.CreateAsync();
        await using var connection = await world.Database.OpenConnectionAsync();
        await using var late = await connection.BeginTransactionAsync();
        await using (var draw = new NpgsqlCommand("select nextval('mt_events_sequence')", connection, late))
            await draw.ExecuteScalarAsync();
        await world.SpendAsync(world.Ada, "behind");
        (await world.Publisher.PublishAsync(default)).ShouldBe(0);
        await late.RollbackAsync();
        (await world.Publisher.PublishAsync(default)).ShouldBe(1);
        var last = (await world.Checkpoints.FindAsync(3, default))!.Checkpoint;
        last.Gaps.ShouldBe([new(last.After + 1, last.After + 1)]);
        last.Count.ShouldBe(1);
        (await world.AuditAsync(world.File)).Findings.ShouldBeEmpty();
    }

    [Fact]
    public async Task Of_many_events_each_has_its_path()
    {
        await using var world = await AuditWorld.CreateAsync();
        await world.App.GrantAsync(world.Bob.Id, Ledger.Domain.Money.Amount.Credits(10_000));
        for (var n = 0; n < 150; n++)
            await world.SpendAsync(world.Bob, $"many{n}");
        (await world.Publisher.PublishAsync(default)).ShouldBe(1);
        var signed = (await world.Checkpoints.FindAsync(3, default))!;
        signed.Segments.Count.ShouldBe(3);
        signed.HasSegments.ShouldBeTrue();
        for (var index = 0L; index < signed.Checkpoint.Count; index += 7)
        {
            var position = signed.Checkpoint.PositionOf(index);
            var (at, path) = await world.Checkpoints.ProveAsync(signed, position, default);
            var hash = (await world.Checkpoints.HashesAsync(position - 1, position, 1, default))[0].Hash!;
            Merkle.RootFrom(Merkle.Leaf(hash), at, signed.Checkpoint.Count, path).ShouldBe(signed.Checkpoint.Root.ToArray());
        }
    }

    [Fact]
    public async Task One_node_makes_them_and_another_goes_on_where_it_stopped()
    {
        await using var world = await AuditWorld.CreateAsync();
        await using var other = new AuditWorld(await LedgerApp.StartAsync(world.App.Database, world.App.Clock));
        await world.SpendAsync(world.Ada, "more");
        (await other.Publisher.PublishAsync(default)).ShouldBeNull();
        (await world.Publisher.PublishAsync(default)).ShouldBe(1);
        await world.SpendAsync(world.Ada, "yet more");
        await world.App.DisposeAsync();

        // Its file had nothing: it copies what the table has, and goes on.
        (await other.Publisher.PublishAsync(default)).ShouldBe(1);
        other.File.Read().Count(line => line.Checkpoint is not null).ShouldBe(4);
        (await other.AuditAsync(other.File)).Findings.ShouldBeEmpty();

        // And after a restart it has nothing to do.
        await using var again = new AuditWorld(await other.App.RestartAsync());
        (await again.Publisher.PublishAsync(default)).ShouldBe(0);
    }

    [Fact]
    public async Task It_is_done_by_itself_where_an_interval_is_set()
    {
        await using var app = await LedgerApp.StartAsync(
            settings: new Dictionary<string, string> { ["Ledger:CheckpointInterval"] = "00:00:00.1" }
        );
        await app.OpenAccountAsync(credits: 5);
        var head = (long)(await app.QueryAsync("select max(seq_id) from mt_events"))!;
        await Eventually.IsSoAsync(async () =>
            (long)(await app.QueryAsync("select coalesce(max(position), 0) from log_checkpoints"))! == head
        );
    }

    [Fact]
    public async Task A_database_that_was_set_back_is_not_written_over_what_was_kept()
    {
        await using var world = await AuditWorld.CreateAsync();
        var file = Path.Combine(world.App.DataFolder, "elsewhere", "kept.jsonl");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.Copy(world.File.Path, file);
        await using var back = new AuditWorld(
            await LedgerApp.StartAsync(settings: new Dictionary<string, string> { ["Ledger:CheckpointFile"] = file })
        );
        var before = await File.ReadAllTextAsync(file);
        (await Should.ThrowAsync<CheckpointFileException>(() => back.Publisher.PublishAsync(default))).Message.ShouldContain(
            "ends with checkpoint 2"
        );
        (await File.ReadAllTextAsync(file)).ShouldBe(before);
        File.Move(file, file + ".old");
        (await back.Publisher.PublishAsync(default)).ShouldBe(1);
    }

    [Fact]
    public async Task A_new_key_signs_from_then_on_and_the_old_one_s_work_stays_good()
    {
        await using var world = await AuditWorld.CreateAsync();
        var id = (await world.App.PostAsync("/admin/checkpoint-keys", LedgerApp.AdminKey)).ShouldBe(201).Text("key_id");
        await world.SpendAsync(world.Ada, "new");
        (await world.Publisher.PublishAsync(default)).ShouldBe(1);
        (await world.Checkpoints.FindAsync(3, default))!.Checkpoint.KeyId.ShouldBe(id);
        (await world.App.GetAsync("/v1/checkpoints/keys")).Json.GetProperty("keys").GetArrayLength().ShouldBe(2);
        world.File.Read().Count(line => line.Key is not null).ShouldBe(2);
        (await world.AuditAsync(world.File)).Findings.ShouldBeEmpty();
    }
}
