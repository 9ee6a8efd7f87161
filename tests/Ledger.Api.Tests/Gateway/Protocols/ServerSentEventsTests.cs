using System.Buffers;
using Ledger.Api.Gateway.Protocols;

namespace Ledger.Api.Tests.Gateway.Protocols;

/// <summary>Streams taken apart, wherever they are cut.</summary>
public sealed class ServerSentEventsTests
{
    private const string Story =
        "\uFEFFdata: first\n\n: alive\n\nevent: named\r\ndata:no space\r\nid: 7\r\nretry: 1\r\n\r\ndata: one\ndata\ndata:  three\n\n\n\nevent: no data\n\nnonsense\n\ndata: é😀\r\rdata: last\n\n";

    private static readonly string[] Told = ["|first", ":", "named|no space", "|one\n\n three", "|é😀", "|last"];

    [Fact]
    public void Names_data_and_comments_are_read() => Read(Story, int.MaxValue).ShouldBe(Told);

    [Fact]
    public void Wherever_a_stream_is_cut_it_says_the_same()
    {
        var length = Wire.Bytes(Story).Length;
        for (var cut = 1; cut <= length; cut++)
            Read(Story, cut).ShouldBe(Told, ignoreOrder: false, $"in pieces of {cut}");
    }

    [Fact]
    public void Cut_once_at_any_byte_it_says_the_same()
    {
        var bytes = Wire.Bytes(Story);
        for (var cut = 0; cut <= bytes.Length; cut++)
        {
            using var events = new ServerSentEvents();
            var told = new List<string>();
            events.Feed(bytes.AsSpan(0, cut));
            Drain(events, told);
            events.Feed(new ReadOnlySequence<byte>(bytes.AsMemory(cut)));
            Drain(events, told);
            told.ShouldBe(Told, ignoreOrder: false, $"cut at {cut}");
        }
    }

    [Fact]
    public void The_raw_bytes_of_all_events_are_the_stream()
    {
        const string stream = "data: a\n\nevent: b\r\ndata: b\r\n\r\n: c\n\ndata: d\rdata: e\n\n";
        using var events = new ServerSentEvents();
        var raw = new ArrayBufferWriter<byte>();
        foreach (var one in Wire.Bytes(stream))
        {
            events.Feed([one]);
            while (events.TryRead(out var e))
                raw.Write(e.Raw);
        }

        Wire.Text(raw.WrittenSpan).ShouldBe(stream);
    }

    [Theory]
    [InlineData("data: a\n\ndata: b", "|a", "|b")]
    [InlineData("data: a\n\ndata: b\n", "|a", "|b")]
    [InlineData("data: a\n\ndata: b\r", "|a", "|b")]
    [InlineData("data: a\n\nevent: b", "|a")]
    [InlineData("data: a\n\n", "|a")]
    [InlineData("")]
    public void The_end_of_the_stream_ends_its_last_event(string stream, params string[] told) => Read(stream, 1).ShouldBe(told);

    [Fact]
    public void What_has_no_end_yet_is_no_event()
    {
        using var events = new ServerSentEvents();
        events.Feed("data: a\n"u8);
        events.TryRead(out _).ShouldBeFalse();
        events.Feed("\n"u8);
        events.TryRead(out var e).ShouldBeTrue();
        Wire.Text(e.Data).ShouldBe("a");
    }

    [Fact]
    public void A_stream_can_be_read_into_its_room()
    {
        using var events = new ServerSentEvents();
        var bytes = Wire.Bytes(string.Concat(Enumerable.Range(0, 5_000).Select(i => $"data: {i}\n\n")));
        var told = new List<string>();
        for (var at = 0; at < bytes.Length; )
        {
            var room = events.Room();
            room.Length.ShouldBePositive();
            var count = Math.Min(room.Length, bytes.Length - at);
            bytes.AsSpan(at, count).CopyTo(room.Span);
            events.Advance(count);
            at += count;
            Drain(events, told);
        }

        told.ShouldBe(Enumerable.Range(0, 5_000).Select(i => $"|{i}"));
    }

    [Fact]
    public void A_long_event_is_read_and_one_without_end_is_not()
    {
        var chunk = new byte[1024 * 1024];
        chunk.AsSpan().Fill((byte)'x');
        using var events = new ServerSentEvents();
        events.Feed("data: "u8);
        for (var i = 0; i < 9; i++)
        {
            events.Feed(chunk);
            events.TryRead(out _).ShouldBeFalse();
        }

        events.Feed("\n\n"u8);
        events.TryRead(out var e).ShouldBeTrue();
        e.Data.Length.ShouldBe(9 * chunk.Length);

        events.Feed("data: "u8);
        Should.Throw<InvalidDataException>(() =>
        {
            for (var i = 0; i < 12; i++)
            {
                events.Feed(chunk);
                events.TryRead(out _);
            }
        });
    }

    [Fact]
    public void What_is_written_is_read_back()
    {
        var down = new ArrayBufferWriter<byte>();
        ServerSentEvents.Write(down, "a\nb"u8);
        ServerSentEvents.Write(down, "name"u8, "c"u8);
        ServerSentEvents.WriteComment(down);
        Read(Wire.Text(down.WrittenSpan), 3).ShouldBe(["|a\nb", "name|c", ":"]);
    }

    private static List<string> Read(string stream, int cut)
    {
        using var events = new ServerSentEvents();
        var told = new List<string>();
        var bytes = Wire.Bytes(stream);
        for (var at = 0; at < bytes.Length; at += Math.Min(cut, bytes.Length - at))
        {
            events.Feed(bytes.AsSpan(at, Math.Min(cut, bytes.Length - at)));
            Drain(events, told);
        }

        events.Complete();
        Drain(events, told);
        return told;
    }

    private static void Drain(ServerSentEvents events, List<string> told)
    {
        while (events.TryRead(out var e))
            told.Add(e.IsComment ? ":" : Wire.Text(e.Name) + "|" + Wire.Text(e.Data));
    }
}
