using System.Buffers;
using System.Text;

namespace Ledger.EventStore.Tests;

/// <summary>The canonical form and hashes, pinned by vectors that were made from the description of the format alone, in another language.</summary>
public sealed class HashChainTests
{
    private static readonly Guid Id = new("00112233-4455-6677-8899-aabbccddeeff");
    private static readonly DateTimeOffset At = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero).AddMicroseconds(678901);
    private static readonly byte[] Previous = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    public static TheoryData<long, string?, string, string, string> Vectors =>
        new()
        {
            {
                1,
                null,
                "{}",
                "01000000096163636f756e742d61000000000000000100112233445566778899aabbccddeeff000000056e6f7465640006475ef6574f35ffffffff7b00000000"
                    + "0000000000000000000000000000000000000000000000000000000000000000",
                "243482dd32982c6629888b96fead8fdfa2d110edf35d09f22bca7af313181c4e"
            },
            {
                2,
                "key:abc",
                """{"text":"hi","n":-5}""",
                "01000000096163636f756e742d61000000000000000200112233445566778899aabbccddeeff000000056e6f7465640006475ef6574f35000000076b65793a616263"
                    + "7b00000002000000016e69fffffffffffffffb00000004746578747300000002"
                    + "6869000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                "09df14043917aaaf5710b182b46b2e94d315e24d9641299492cbdc31239e9b5e"
            },
            {
                3,
                "operator",
                """{"text":"Grüße, 世界 🦊","é":"\u00e9\n\"\\"}""",
                "01000000096163636f756e742d61000000000000000300112233445566778899aabbccddeeff000000056e6f7465640006475ef6574f35000000086f70657261746f72"
                    + "7b0000000200000002c3a97300000005c3a90a225c000000047465787473000000144772c3bcc39f652c20e4b896e7958c20f09fa68a"
                    + "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                "790b859d6be62105e898e36b7afcf3a3a735c7a22f6dad93f7a042e7bf4af96c"
            },
            {
                4,
                null,
                """{"b":{"z":[1,{"y":null},[]],"aa":true},"a":{},"c":false}""",
                "01000000096163636f756e742d61000000000000000400112233445566778899aabbccddeeff000000056e6f7465640006475ef6574f35ffffffff"
                    + "7b0000000300000001617b0000000000000001627b00000002000000017a5b000000036900000000000000017b0000000100000001796e5b00000000"
                    + "000000026161740000000163660001"
                    + "02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                "bc99b929a6a3420dd04845b12827e130a93961e55ae76847c59dfb4beb2ffbfe"
            },
            {
                5,
                null,
                """{"max":9223372036854775807,"min":-9223372036854775808,"big":9223372036854775808.0,"half":1.5,"one":1.0}""",
                "01000000096163636f756e742d61000000000000000500112233445566778899aabbccddeeff000000056e6f7465640006475ef6574f35ffffffff"
                    + "7b00000005000000036269676400000015393232333337323033363835343737353830382e30000000036d6178697fffffffffffffff"
                    + "000000036d696e698000000000000000000000036f6e656400000003312e300000000468616c666400000003312e35"
                    + "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                "6b746f27ce41b7cdcd42c509c7736850508351239f352f9da5db0ab447a2d8b2"
            },
            {
                6,
                "key:abc",
                """{"reference":"r","metadata":"{\"a\":1}","metadataDigest":"00ff","inner":{"metadata":"kept"}}""",
                "01000000096163636f756e742d61000000000000000600112233445566778899aabbccddeeff000000056e6f7465640006475ef6574f35000000076b65793a616263"
                    + "7b0000000300000005696e6e65727b00000001000000086d6574616461746173000000046b657074000000097265666572656e6365730000000172"
                    + "0000000e6d65746164617461446967657374730000000430306666"
                    + "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                "3ffbbe6f5d4a22b9e699749689f745becffd9f6903523658c2f0c54ce7e5c544"
            },
        };

    [Theory]
    [MemberData(nameof(Vectors))]
    public void The_canonical_form_and_the_hash_of_an_event_are_pinned(long version, string? actor, string data, string form, string hash)
    {
        var previous = version == 1 ? HashChain.Start.ToArray() : Previous;
        var buffer = new ArrayBufferWriter<byte>();
        HashChain.WriteForm(buffer, "account-a", version, Id, "noted", At, actor, Encoding.UTF8.GetBytes(data), previous);
        Convert.ToHexStringLower(buffer.WrittenSpan).ShouldBe(form);
        Convert
            .ToHexStringLower(HashChain.Hash("account-a", version, Id, "noted", At, actor, Encoding.UTF8.GetBytes(data), previous))
            .ShouldBe(hash);
    }

    [Theory]
    [InlineData("""{"a":1,"bb":[{"x":1,"y":2}],"c":"é"}""", """{ "c" : "\u00e9", "bb": [ { "y": 2, "x": 1 } ], "a": 1 }""")]
    [InlineData("""{"a":"/","text":"\u0041"}""", """{"text":"A","a":"\/"}""")]
    [InlineData("""{"\u0061":1}""", """{"a":1}""")]
    [InlineData("""{"a":0}""", """{"a":-0}""")]
    public void Neither_the_order_of_keys_nor_white_space_nor_escapes_change_the_hash(string left, string right) =>
        Hash(left).ShouldBe(Hash(right));

    [Theory]
    [InlineData("""{"a":1}""", """{"a":2}""")]
    [InlineData("""{"a":1}""", """{"a":"1"}""")]
    [InlineData("""{"a":1}""", """{"b":1}""")]
    [InlineData("""{"a":null}""", """{}""")]
    [InlineData("""{"a":[]}""", """{"a":{}}""")]
    [InlineData("""{"a":[1,2]}""", """{"a":[2,1]}""")]
    [InlineData("""{"a":"b","c":"d"}""", """{"a":"bc","d":""}""")]
    [InlineData("""{"metadataDigest":"00"}""", """{"metadataDigest":"01"}""")]
    [InlineData("""{"inner":{"metadata":1}}""", """{"inner":{}}""")]
    public void Other_contents_have_another_hash(string left, string right) => Hash(left).ShouldNotBe(Hash(right));

    [Fact]
    public void Every_part_of_an_event_enters_its_hash()
    {
        var data = "{}"u8.ToArray();
        var hashes = new[]
        {
            HashChain.Hash("account-a", 1, Id, "noted", At, null, data, Previous),
            HashChain.Hash("account-b", 1, Id, "noted", At, null, data, Previous),
            HashChain.Hash("account-a", 2, Id, "noted", At, null, data, Previous),
            HashChain.Hash("account-a", 1, LogDatabase.Id(1), "noted", At, null, data, Previous),
            HashChain.Hash("account-a", 1, Id, "voted", At, null, data, Previous),
            HashChain.Hash("account-a", 1, Id, "noted", At.AddMicroseconds(1), null, data, Previous),
            HashChain.Hash("account-a", 1, Id, "noted", At, "", data, Previous),
            HashChain.Hash("account-a", 1, Id, "noted", At, "x", data, Previous),
            HashChain.Hash("account-a", 1, Id, "noted", At, null, data, HashChain.Start.Span),
        };
        hashes.Select(Convert.ToHexStringLower).Distinct().Count().ShouldBe(hashes.Length);
    }

    [Fact]
    public void Metadata_can_be_erased_and_its_digest_cannot() =>
        Hash("""{"a":1,"metadata":{"x":[1,2]},"metadataDigest":"00"}""").ShouldBe(Hash("""{"a":1,"metadataDigest":"00"}"""));

    [Fact]
    public void An_object_of_many_members_hashes_like_the_same_in_another_order()
    {
        var members = Enumerable.Range(0, 100).Select(i => $"\"member{i}\":{{\"{i}\":[{i}]}}").ToList();
        Hash("{" + string.Join(',', members) + "}").ShouldBe(Hash("{" + string.Join(',', members.AsEnumerable().Reverse()) + "}"));
    }

    [Fact]
    public async Task What_jsonb_gives_back_has_the_hash_of_what_went_in()
    {
        await using var log = await LogDatabase.CreateAsync();
        string[] texts =
        [
            "",
            "plain",
            "Grüße, 世界 🦊",
            "quote \" slash \\ / tab \t newline \n bell \a del \u007f",
            "\u2028\ufeff\u00a0",
            new('x', 5000),
        ];
        var append = new StreamAppend("account-a", "account", 0, HashChain.Start);
        foreach (var (i, text) in texts.Index())
            append.Add(
                new(
                    LogDatabase.Id(i + 1),
                    LogDatabase.Types.Of(new Noted()),
                    new Noted(text, i % 2 == 0 ? long.MinValue : long.MaxValue, text, "digest"),
                    At.AddMicroseconds(i),
                    i == 0 ? null : text,
                    null,
                    null
                )
            );
        await log.AppendAsync(append);

        var previous = HashChain.Start.ToArray();
        foreach (var stored in await log.ReadAsync("account-a"))
        {
            HashChain.FromHeaders(stored.Headers, "prev").ShouldBe(previous);
            previous = HashChain.Hash(
                stored.StreamId,
                stored.Version,
                stored.Id,
                stored.Type,
                stored.At,
                EventHeaders.Read(stored.Headers).Covered,
                Encoding.UTF8.GetBytes(stored.Data),
                previous
            );
            HashChain.FromHeaders(stored.Headers, "hash").ShouldBe(previous);
        }

        append.LastHash.ToArray().ShouldBe(previous);
    }

    [Fact]
    public async Task Whole_numbers_are_the_only_ones_that_jsonb_may_spell_anew()
    {
        // Events hold whole numbers only. This pins what jsonb does with the others, should one ever be added.
        await using var log = await LogDatabase.CreateAsync();
        (await log.QueryAsync<string>("""select '{"a":1.0,"b":1.50,"c":-0,"d":12345678901234567890.5}'::jsonb::text""")).ShouldBe(
            """{"a": 1.0, "b": 1.50, "c": 0, "d": 12345678901234567890.5}"""
        );
        (await log.QueryAsync<string>("""select '{"a":1e2}'::jsonb::text""")).ShouldBe("""{"a": 100}""");
        Hash("""{"a":1.0}""").ShouldNotBe(Hash("""{"a":1}"""));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"hash":1}""")]
    [InlineData("""{"hash":"AAAA"}""")]
    [InlineData("""{"hash":"not base 64"}""")]
    public void Headers_without_a_hash_have_none(string? headers) => HashChain.FromHeaders(headers, "hash").ShouldBeNull();

    [Fact]
    public void An_actor_of_any_text_comes_back_out_of_the_headers()
    {
        const string Actor = "key:\"é\\\n";
        EventHeaders.Read(EventHeaders.Of(Actor, null).Write(Previous, Previous)).Actor.ShouldBe(Actor);
        EventHeaders.Read(EventHeaders.Of(null, null).Write(Previous, Previous)).Actor.ShouldBeNull();
    }

    private static string Hash(string data) =>
        Convert.ToHexStringLower(HashChain.Hash("account-a", 1, Id, "noted", At, null, Encoding.UTF8.GetBytes(data), Previous));
}
