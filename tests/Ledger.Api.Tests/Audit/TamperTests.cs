using System.Text.Json.Nodes;
using Ledger.EventStore.Checkpoints;
using Ledger.Projections.Audit;
using Ledger.Testing;

namespace Ledger.Api.Tests.Audit;

/// <summary>Somebody rewrites the database. What was kept outside finds it, and names the place.</summary>
public sealed class TamperTests
{
    [Fact]
    public async Task An_untouched_ledger_is_whole_and_says_up_to_where()
    {
        await using var world = await AuditWorld.CreateAsync();
        await world.SpendAsync(world.Ada, "not covered yet");
        var report = await world.AuditAsync(world.File);
        report.Findings.ShouldBeEmpty();
        report.Outside.Checkpoint.ShouldBe(2);
        report.Inside.ShouldBe(report.Outside);
        report.Head.ShouldBe(report.Outside.Position + 1);
        (await world.AuditAsync(null)).Outside.ShouldBe(AuditCoverage.None);
    }

    [Fact]
    public async Task A_changed_event_is_found_however_consistent_the_database_was_made()
    {
        await using var world = await AuditWorld.CreateAsync();
        var kept = world.Keep();
        var stream = world.Ada.Id.StreamId;
        var position = await PositionAsync(world, stream, 2);

        // One byte: the chain tells.
        await world.Database.ExecuteAsync(
            $"update mt_events set data = jsonb_set(data, '{{reason}}', '\"B test\"') where seq_id = {position}"
        );
        (await world.AuditAsync(null)).Findings.ShouldContain(finding =>
            finding.Code == "hash_mismatch" && finding.Place == stream + " version 2"
        );

        // The chain made anew: the database's own checkpoints tell.
        await world.RewriteAsync(stream, 2, data => data["reason"] = "B test");
        (await world.AuditAsync(null)).Findings.ShouldContain(finding =>
            finding.Code == "event_changed" && Covers(finding.Place, position)
        );

        // Those signed anew too: only what is kept outside tells.
        await world.CoverUpAsync();
        (await world.AuditAsync(null)).Findings.ShouldBeEmpty();
        var report = await world.AuditAsync(kept);
        report.Findings.ShouldContain(finding => finding.Code == "checkpoint_differs" && finding.Place == "checkpoint 1");
        report
            .Findings.First(finding => finding.Code == "event_changed")
            .ShouldSatisfyAllConditions(finding => Covers(finding.Place, position).ShouldBeTrue(finding.Place));
    }

    [Fact]
    public async Task A_stream_s_last_event_that_was_removed_is_found_at_its_position()
    {
        await using var world = await AuditWorld.CreateAsync();
        var kept = world.Keep();
        var stream = world.Bob.Id.StreamId;
        var version = (await world.App.EventsAsync(world.Bob.Id)).Count;
        var position = await PositionAsync(world, stream, version);
        await world.Database.ExecuteAsync($"delete from mt_events where seq_id = {position}");
        (await world.AuditAsync(null)).Findings.ShouldContain(finding =>
            finding.Code == "version_missing" && finding.Place == $"{stream} version {version}"
        );
        await world.Database.ExecuteAsync($"update mt_streams set version = version - 1 where id = '{stream}'");
        (await world.AuditAsync(null)).Findings.ShouldContain(finding =>
            finding.Code == "event_removed" && finding.Place == $"position {position}"
        );
        await HideAsync(world, kept, $"position {position}");
    }

    [Fact]
    public async Task A_whole_stream_that_was_removed_is_found_at_its_positions()
    {
        await using var world = await AuditWorld.CreateAsync();
        var kept = world.Keep();
        var stream = world.Bob.Id.StreamId;
        var first = await PositionAsync(world, stream, 1);
        await world.Database.ExecuteAsync(
            $"delete from mt_events where stream_id = '{stream}'; delete from mt_streams where id = '{stream}'"
        );
        (await world.AuditAsync(null)).Findings.ShouldContain(finding => finding.Code == "event_removed" && Covers(finding.Place, first));
        await HideAsync(world, kept, null, first);
    }

    [Fact]
    public async Task Two_events_that_were_exchanged_are_found()
    {
        await using var world = await AuditWorld.CreateAsync();
        var kept = world.Keep();

        // Of two streams: each stream is whole in itself.
        var (one, two) = (await PositionAsync(world, world.Bob.Id.StreamId, 4), await PositionAsync(world, world.Ada.Id.StreamId, 6));
        one.ShouldBe(two - 1);
        await ExchangeAsync(world, one, two);
        var report = await world.AuditAsync(null);
        report.Findings.ShouldContain(finding => finding.Code == "event_changed" && Covers(finding.Place, one));
        report.Findings.ShouldAllBe(finding => finding.Check == "checkpoints");
        await ExchangeAsync(world, one, two);

        // Of one stream.
        (one, two) = (await PositionAsync(world, world.Bob.Id.StreamId, 4), await PositionAsync(world, world.Bob.Id.StreamId, 5));
        await ExchangeAsync(world, one, two);
        (await world.AuditAsync(kept)).Findings.ShouldContain(finding =>
            finding.Code == "position_order" && finding.Place == world.Bob.Id.StreamId + " version 5"
        );
    }

    [Fact]
    public async Task An_event_that_was_put_into_a_gap_is_found()
    {
        await using var world = await AuditWorld.CreateAsync();
        await world.Database.ExecuteAsync("select nextval('mt_events_sequence')");
        await world.SpendAsync(world.Ada, "after the gap");
        (await world.Publisher.PublishAsync(default)).ShouldBe(1);
        var gap = (await world.Checkpoints.FindAsync(3, default))!.Checkpoint.Gaps.ShouldHaveSingleItem().First;
        var last = (await world.App.EventsAsync(world.Bob.Id)).Count;
        await world.Database.ExecuteAsync(
            $"update mt_events set seq_id = {gap} where stream_id = '{world.Bob.Id.StreamId}' and version = {last}"
        );
        var findings = (await world.AuditAsync(null)).Findings;
        findings.ShouldContain(finding => finding.Code == "event_added" && finding.Place == $"position {gap}");
        findings.ShouldContain(finding => finding.Code == "event_removed");
    }

    [Theory]
    [InlineData("update log_checkpoints set root = previous where number = 2", "checkpoint_signature", "checkpoint 2")]
    [InlineData("update log_checkpoints set count = count + 1 where number = 2", "checkpoint_unlawful", "checkpoint 2")]
    [InlineData("update log_checkpoints set at = at + interval '1 s' where number = 1", "checkpoint_link", "checkpoint 2")]
    [InlineData("update log_checkpoints set segments = '' where number = 2", "checkpoint_segments", "checkpoint 2")]
    [InlineData(
        "update log_checkpoints set segments = decode(repeat('00', 32), 'hex') where number = 2",
        "checkpoint_segments",
        "checkpoint 2"
    )]
    [InlineData("delete from log_checkpoints where number = 2", "checkpoint_missing", "checkpoint 2")]
    [InlineData("delete from log_checkpoints where number = 1", "checkpoint_missing", "checkpoint 1")]
    [InlineData("delete from log_checkpoints", "checkpoint_missing", "checkpoint 1")]
    [InlineData("delete from checkpoint_keys", "checkpoint_key", "line 1")]
    public async Task Checkpoints_that_were_tampered_with_are_found(string tamper, string code, string place)
    {
        await using var world = await AuditWorld.CreateAsync();
        var kept = world.Keep();
        await world.Database.ExecuteAsync(tamper);
        var report = await world.AuditAsync(kept);
        report.Findings.ShouldContain(finding => finding.Code == code && finding.Place == place, string.Join('\n', report.Findings));
    }

    [Fact]
    public async Task What_cannot_have_happened_is_found_though_every_hash_holds()
    {
        await using var world = await AuditWorld.CreateAsync();
        var stream = world.Bob.Id.StreamId;
        await world.RewriteAsync(stream, 4, data => data["charged"] = new JsonObject { ["credits"] = 1_000_000 });
        var findings = (await world.AuditAsync(null)).Findings;
        findings.ShouldContain(finding => finding.Code == "not_conserved" && finding.Place == stream + " version 4");
        await world.RewriteAsync(
            stream,
            4,
            data =>
            {
                data["charged"] = new JsonObject { ["credits"] = 10_000_000 };
                data["card"] = 99;
            }
        );
        findings = (await world.AuditAsync(null)).Findings;
        findings.ShouldContain(finding => finding.Code == "reference_missing" && finding.Message.Contains("rate card version 99"));
        await world.RewriteAsync(
            stream,
            4,
            data =>
            {
                data["card"] = 1;
                data["entry"] = "tools/nothing";
            }
        );
        findings = (await world.AuditAsync(null)).Findings;
        findings.ShouldContain(finding => finding.Code == "reference_missing" && finding.Message.Contains("tools/nothing"));
        await world.RewriteAsync(stream, 4, data => data["paid"]![0]!["pocket"] = 7);
        findings = (await world.AuditAsync(null)).Findings;
        findings.ShouldContain(finding => finding.Code == "reference_missing" && finding.Message.Contains("the pocket 7"));
        findings.ShouldContain(finding => finding.Code == "not_foldable" && finding.Place == stream + " version 4");
    }

    private static async Task HideAsync(AuditWorld world, CheckpointFile kept, string? place, long position = 0)
    {
        // Bob's row in the read models goes with the rebuild; the checkpoints are made anew over what is left.
        await world.CoverUpAsync();
        (await world.AuditAsync(null)).Findings.ShouldBeEmpty();
        (await world.AuditAsync(kept)).Findings.ShouldContain(finding =>
            finding.Code == "event_removed" && (place == null ? Covers(finding.Place, position) : finding.Place == place)
        );
    }

    private static async Task<long> PositionAsync(AuditWorld world, string stream, long version) =>
        await world.Database.QueryAsync<long>($"select seq_id from mt_events where stream_id = '{stream}' and version = {version}");

    private static Task ExchangeAsync(AuditWorld world, long one, long two) =>
        world.Database.ExecuteAsync(
            $"update mt_events set seq_id = -{one} where seq_id = {one}; update mt_events set seq_id = {one} where seq_id = {two}; update mt_events set seq_id = {two} where seq_id = -{one}"
        );

    private static bool Covers(string place, long position)
    {
        var numbers = place.Split(' ').Where(word => long.TryParse(word, out _)).Select(long.Parse).ToList();
        return place.StartsWith("position", StringComparison.Ordinal) && numbers[0] <= position && numbers[^1] >= position;
    }
}
