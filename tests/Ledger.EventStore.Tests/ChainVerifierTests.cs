namespace Ledger.EventStore.Tests;

public sealed class ChainVerifierTests
{
    [Fact]
    public async Task An_untouched_log_holds()
    {
        await using var log = await FilledAsync();
        var verdict = await new ChainVerifier(log.Database).VerifyAsync("account-a", default);
        verdict.Break.ShouldBeNull();
        verdict.Events.ShouldBe(4);
        Convert
            .ToBase64String(verdict.LastHash.Span)
            .ShouldBe(
                await log.QueryAsync<string>(
                    "select m.headers ->> 'hash' from mt_events m where m.stream_id = 'account-a' and m.version = 4"
                )
            );
        (await AllAsync(log)).ShouldBe(["account-a 4 ", "account-b 1 "]);
    }

    [Fact]
    public async Task A_stream_that_does_not_exist_holds()
    {
        await using var log = await FilledAsync();
        (await new ChainVerifier(log.Database).VerifyAsync("nowhere", default)).Break.ShouldBeNull();
    }

    [Theory]
    [InlineData("set data = data || '{\"text\": \"other\"}'", 2, ChainFault.HashMismatch)]
    [InlineData("set data = data || '{\"number\": 1}'", 2, ChainFault.HashMismatch)]
    [InlineData("set id = '00000063-0000-0000-0000-000000000001'", 2, ChainFault.HashMismatch)]
    [InlineData("set type = 'voted'", 2, ChainFault.HashMismatch)]
    [InlineData("set timestamp = timestamp + interval '1 microsecond'", 2, ChainFault.HashMismatch)]
    [InlineData("set headers = headers || '{\"actor\": \"somebody\"}'", 2, ChainFault.HashMismatch)]
    [InlineData("set headers = headers - 'actor'", 2, ChainFault.HashMismatch)]
    [InlineData("set headers = headers - 'hash'", 2, ChainFault.HashMismatch)]
    [InlineData("set headers = null", 2, ChainFault.PreviousMismatch)]
    [InlineData("set headers = headers || jsonb_build_object('prev', headers -> 'hash')", 2, ChainFault.PreviousMismatch)]
    [InlineData("set headers = headers || jsonb_build_object('hash', headers -> 'prev')", 2, ChainFault.HashMismatch)]
    [InlineData("set version = 9", 2, ChainFault.VersionMissing)]
    [InlineData("set stream_id = 'account-c'", 2, ChainFault.VersionMissing)]
    public async Task Whatever_is_changed_is_found_at_its_version(string change, long version, ChainFault fault)
    {
        await using var log = await FilledAsync();
        await log.ExecuteAsync($"update mt_events {change} where stream_id = 'account-a' and version = 2");
        var verdict = await new ChainVerifier(log.Database).VerifyAsync("account-a", default);
        verdict.Break.ShouldBe(new("account-a", version, fault));
        verdict.Events.ShouldBe(version - 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task A_deleted_event_is_missed_at_the_end_too(long version)
    {
        await using var log = await FilledAsync();
        await log.ExecuteAsync($"delete from mt_events where stream_id = 'account-a' and version = {version}");
        (await new ChainVerifier(log.Database).VerifyAsync("account-a", default)).Break.ShouldBe(
            new("account-a", version, ChainFault.VersionMissing)
        );
    }

    [Fact]
    public async Task Two_events_that_changed_places_are_found()
    {
        await using var log = await FilledAsync();
        await log.ExecuteAsync(
            """
            update mt_events set version = 99 where stream_id = 'account-a' and version = 2;
            update mt_events set version = 2 where stream_id = 'account-a' and version = 3;
            update mt_events set version = 3 where stream_id = 'account-a' and version = 99;
            """
        );
        (await new ChainVerifier(log.Database).VerifyAsync("account-a", default)).Break.ShouldBe(
            new("account-a", 2, ChainFault.PreviousMismatch)
        );
    }

    [Fact]
    public async Task Metadata_may_be_erased_and_not_replaced()
    {
        await using var log = await FilledAsync();
        var verifier = new ChainVerifier(log.Database);
        await log.ExecuteAsync("""update mt_events set data = data || '{"metadata": "{\"x\":2}"}' where stream_id = 'account-b'""");
        (await verifier.VerifyAsync("account-b", default)).Break.ShouldBe(new("account-b", 1, ChainFault.MetadataMismatch));
        await log.ExecuteAsync("update mt_events set data = data - 'metadata' where stream_id = 'account-b'");
        (await verifier.VerifyAsync("account-b", default)).Break.ShouldBeNull();
    }

    [Fact]
    public async Task Every_stream_is_verified_those_without_a_row_included()
    {
        await using var log = await FilledAsync();
        await log.ExecuteAsync(
            "delete from mt_streams where id = 'account-a'; update mt_events set type = 'voted' where stream_id = 'account-b'"
        );
        (await AllAsync(log)).ShouldBe(["account-b 0 HashMismatch at 1", "account-a 0 StreamMissing at 1"]);
    }

    private static async Task<LogDatabase> FilledAsync()
    {
        var log = await LogDatabase.CreateAsync();
        var b = new StreamAppend("account-b", "account", 0, HashChain.Start);
        var noted = new Noted("with metadata", 1, """{"x":1}""", "5041bf1f713df204784353e82f6a4a535931cb64f1f4b4a5aeaffcb720918b22");
        b.Add(new(LogDatabase.Id(9), LogDatabase.Types.Of(noted), noted, LogDatabase.Noon, null, null, null));
        await log.AppendAsync(LogDatabase.Stream("account-a", 1, 2, 3, 4), b);
        return log;
    }

    private static async Task<List<string>> AllAsync(LogDatabase log)
    {
        var lines = new List<string>();
        await foreach (var (id, verdict) in new ChainVerifier(log.Database).VerifyAllAsync(default))
            lines.Add($"{id} {verdict.Events} {(verdict.Break is { } found ? $"{found.Fault} at {found.Version}" : "")}");
        return lines;
    }
}
