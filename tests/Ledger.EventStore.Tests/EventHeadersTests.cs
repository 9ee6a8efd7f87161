namespace Ledger.EventStore.Tests;

public class EventHeadersTests
{
    private static readonly byte[] Hash = [.. Enumerable.Range(0, 32).Select(n => (byte)n)];

    [Fact]
    public void An_address_comes_back_and_is_covered_by_its_digest_alone()
    {
        var written = EventHeaders.Of("key:\"x", "2001:db8::1");
        var read = EventHeaders.Read(written.Write(Hash, Hash));
        read.ShouldBe(written);
        read.IsGenuine.ShouldBeTrue();
        read.Covered!.ShouldNotContain("2001");
        EventHeaders.Of("key:\"x", "2001:db8::1").AddressDigest.ShouldNotBe(written.AddressDigest, "salted");
    }

    [Fact]
    public void Without_an_address_only_the_actor_is_covered_as_it_always_was()
    {
        EventHeaders.Of("operator", null).Covered.ShouldBe("operator");
        EventHeaders.Of(null, null).Covered.ShouldBeNull();
        EventHeaders.Read(null).Covered.ShouldBeNull();
        EventHeaders.Read("""{"actor":5}""").Actor.ShouldBeNull();
    }

    [Fact]
    public async Task A_changed_address_is_found_and_an_erased_one_leaves_the_chain_whole()
    {
        await using var log = await LogDatabase.CreateAsync();
        var append = new StreamAppend("account-a", "account", 0, HashChain.Start);
        append.Add(
            new(
                new Guid(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
                LogDatabase.Types.Of(new Noted("x")),
                new Noted("x"),
                LogDatabase.Noon,
                "operator",
                "r",
                null,
                "192.0.2.1"
            )
        );
        await log.AppendAsync(append);
        var stored = (await log.Log.ReadStreamAsync("account-a", 0, 10, default)).Single();
        EventHeaders.Read(stored.Headers).Address.ShouldBe("192.0.2.1");

        (await FaultsAsync(log)).ShouldBe(0);
        await log.ExecuteAsync("""update mt_events set headers = jsonb_set(headers, '{address}', '"192.0.2.2"')""");
        (await FaultsAsync(log)).ShouldBe(1);
        await log.ExecuteAsync("update mt_events set headers = headers - 'address' - 'address_salt'");
        (await FaultsAsync(log)).ShouldBe(0);
        await log.ExecuteAsync("update mt_events set headers = headers - 'address_digest'");
        (await FaultsAsync(log)).ShouldBe(1);
    }

    private static async Task<int> FaultsAsync(LogDatabase log) =>
        (await new ChainVerifier(log.Database).VerifyAsync("account-a", default)).Break is null ? 0 : 1;
}
