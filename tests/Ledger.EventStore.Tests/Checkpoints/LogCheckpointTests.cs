using System.Buffers.Text;
using System.Text.Json;
using Ledger.EventStore.Checkpoints;

namespace Ledger.EventStore.Tests.Checkpoints;

/// <summary>A checkpoint's canonical form, hash and signature, pinned by vectors that were made from the description of the format in another language.</summary>
public sealed class LogCheckpointTests
{
    private static readonly CheckpointKey Key = new(
        Base64Url.DecodeFromChars("_K92I1CYvISpeytRtNhI9G_jvCpXZAFrUOjcSaulwYk"),
        Base64Url.DecodeFromChars("jD4XX3MLliOZS5lyV443hyjFOM1mmZtlCQS6WvZGnEA")
    );

    private static LogCheckpoint Checkpoint(string keyId) =>
        new(
            7,
            100,
            203,
            97,
            [new(102, 104), new(150, 152)],
            Enumerable.Range(0, 32).Select(n => (byte)n).ToArray(),
            Enumerable.Range(32, 32).Select(n => (byte)n).ToArray(),
            new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero).AddMicroseconds(678901),
            keyId
        );

    private static SignedCheckpoint Signed { get; } =
        new(
            Checkpoint(Key.Id),
            Convert.FromBase64String("QfVsHqC0cICTnxFj3rTxYUStxXCveno6wYBVF9oqD5TPllh0G96EKYQFBEWOUYGczwXYuSeeSe7vPJAQpHuFvg=="),
            []
        );

    [Fact]
    public void The_canonical_form_and_the_hash_are_pinned()
    {
        var checkpoint = Checkpoint("kid-é");
        Convert
            .ToHexStringLower(checkpoint.Form())
            .ShouldBe(
                "000000116c65646765722d636865636b706f696e7401"
                    + "0000000000000007000000000000006400000000000000cb0000000000000061"
                    + "00000002000000000000006600000000000000680000000000000096"
                    + "0000000000000098"
                    + "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
                    + "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
                    + "0006475ef6574f35000000066b69642dc3a9"
            );
        Convert.ToHexStringLower(checkpoint.Hash()).ShouldBe("2eab355bd50d2e033b7da9469dab4724f5e77e4305d8f0d56e656c6bc10cee53");
        checkpoint.Fault().ShouldBeNull();
    }

    [Fact]
    public void A_signature_that_was_made_elsewhere_is_good_and_for_nothing_else()
    {
        Key.Id.ShouldBe("RUC90LIsdjIyOy1otEgEuEmBdH1bvFheyTCTCAwX_ag");
        Signed.IsSignedBy(Key).ShouldBeTrue();
        foreach (
            var other in (LogCheckpoint[])
                [
                    Signed.Checkpoint with
                    {
                        Number = 8,
                    },
                    Signed.Checkpoint with
                    {
                        After = 99,
                    },
                    Signed.Checkpoint with
                    {
                        Position = 204,
                    },
                    Signed.Checkpoint with
                    {
                        Count = 98,
                    },
                    Signed.Checkpoint with
                    {
                        Gaps = [new(102, 104)],
                    },
                    Signed.Checkpoint with
                    {
                        Root = new byte[32],
                    },
                    Signed.Checkpoint with
                    {
                        Previous = new byte[32],
                    },
                    Signed.Checkpoint with
                    {
                        At = Signed.Checkpoint.At.AddMicroseconds(1),
                    },
                ]
        )
            (Signed with { Checkpoint = other }).IsSignedBy(Key).ShouldBeFalse(other.ToString());
        new CheckpointKey(new byte[32], new byte[32]).Verifies(Signed.Checkpoint.Form(), Signed.Signature.Span).ShouldBeFalse();
    }

    [Fact]
    public void Positions_and_places_follow_from_the_gaps()
    {
        var checkpoint = Checkpoint("k");
        checkpoint.PositionOf(0).ShouldBe(101);
        checkpoint.PositionOf(1).ShouldBe(105);
        checkpoint.PositionOf(96).ShouldBe(203);
        for (var index = 0; index < checkpoint.Count; index++)
            checkpoint.IndexOf(checkpoint.PositionOf(index)).ShouldBe(index);
        foreach (var position in (long[])[100, 102, 104, 151, 204])
            checkpoint.IndexOf(position).ShouldBeNull();
        (checkpoint with { Count = 96 }).Fault().ShouldNotBeNull();
        (checkpoint with { Gaps = [new(102, 107)] }).Fault().ShouldBeNull();
        (checkpoint with { Gaps = [new(102, 103), new(103, 106)] }).Fault().ShouldNotBeNull();
        (checkpoint with { Gaps = [new(198, 203)] }).Fault().ShouldNotBeNull();
    }

    [Fact]
    public async Task A_file_keeps_lines_and_forgets_one_that_a_crash_cut_short()
    {
        await using var folder = Testing.TestFolder.Create();
        var file = new CheckpointFile(Path.Combine(folder.Path, "in", "checkpoints.jsonl"));
        file.Exists.ShouldBeFalse();
        await file.AppendAsync([Key], [Signed], default);
        await File.AppendAllTextAsync(file.Path, """{"format":1,"num""");
        file.Read()
            .Select(line => line.Checkpoint?.Checkpoint.Hash() ?? [])
            .ShouldBe([
                [],
                Signed.Checkpoint.Hash(),
            ]);
        await file.AppendAsync([], [Signed], default);
        file.Read().Select(line => line.Number).ShouldBe([1, 2, 3]);
        file.Read().First().Key!.Id.ShouldBe(Key.Id);

        var lines = await File.ReadAllLinesAsync(file.Path);
        lines[1] = lines[1].Replace("\"number\":7", "\"number\":8", StringComparison.Ordinal);
        await File.WriteAllLinesAsync(file.Path, lines);
        Should
            .Throw<CheckpointFileException>(() => file.Read().ToList())
            .Message.ShouldContain("line 2: its hash is not that of what it says");
        await File.WriteAllTextAsync(file.Path, "nonsense\n");
        Should.Throw<CheckpointFileException>(() => file.Read().ToList()).Message.ShouldContain("line 1: it is not JSON");
    }

    [Theory]
    [InlineData("""{"kty":"RSA"}""")]
    [InlineData("""{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}""")]
    [InlineData("[]")]
    public void What_is_no_key_is_refused(string text)
    {
        using var json = JsonDocument.Parse(text);
        Should.Throw<FormatException>(() => CheckpointText.ReadKey(json.RootElement));
    }
}
