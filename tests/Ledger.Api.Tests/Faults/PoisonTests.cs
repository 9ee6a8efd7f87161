using System.Globalization;
using System.Text;
using System.Text.Json;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Api.Tests.Faults;

/// <summary>What is wrong fails alone: broken bodies, and what PostgreSQL itself refuses, among innocent neighbours in the same batch.</summary>
public sealed class PoisonTests
{
    private const string Reference = "the-reference-of-this-one";
    private static readonly string[] Leaks =
    [
        "Npgsql",
        "   at ",
        "Exception",
        "mt_events",
        "mt_streams",
        "select ",
        "insert ",
        "System.",
        ".cs:",
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Fuzzed_bodies_fail_alone_and_their_neighbours_are_charged_once(int seed)
    {
        await using var app = await LedgerApp.StartAsync(onKestrel: true);
        var account = await app.OpenAccountAsync(credits: 1_000_000);
        var dice = new Random(seed);
        var bodies = Enumerable
            .Range(0, 800)
            .Select(n => dice.Next(3) == 0 ? (Path: "", Body: Encoding.UTF8.GetBytes(Innocent(n))) : Fuzz(dice, n))
            .ToList();
        var sent = bodies.Select(each => (each.Path, each.Body, Answer: app.PostAsync(PathOf(each.Path), account.Key, each.Body))).ToList();

        var (charged, events) = (0L, 0L);
        foreach (var (path, body, answering) in sent)
        {
            var answer = await answering;
            var what = $"seed {seed}: {path} {Encoding.Latin1.GetString(body[..Math.Min(body.Length, 500)])}\n{answer}";
            if (path.Length == 0)
                answer.Status.ShouldBe(200, what);
            answer.Status.ShouldBeLessThan(500, what);
            foreach (var leak in Leaks)
                answer.Body.ShouldNotContain(leak, Case.Sensitive, what);
            answer.Json.ValueKind.ShouldBe(JsonValueKind.Object, what);
            if (answer.Status != 200 || path == "check")
                continue;
            JsonElement[] done = path == "spend/batch" ? [.. answer.Json.GetProperty("results").EnumerateArray()] : [answer.Json];
            foreach (var each in done.Where(each => each.GetProperty("ok").GetBoolean()))
            {
                if (
                    answer.Header("Idempotent-Replayed") is not null
                    || each.TryGetProperty("replayed", out var repeat) && repeat.GetBoolean()
                )
                    continue;
                events++;
                charged += each.TryGetProperty("held", out var held) ? held.GetInt64() : each.GetProperty("charged").GetInt64();
            }
        }

        // Whoever was answered 200 was charged once, and nobody else was charged at all.
        (await app.AvailableAsync(account.Id)).ShouldBe(1_000_000 - charged);
        var stored = await app.EventsAsync(account.Id);
        stored.Count(each => each.Type is "credits_spent" or "hold_placed").ShouldBe((int)events);
        var spent = stored
            .Where(each => each.Type == "credits_spent")
            .Select(each => JsonDocument.Parse(each.Data).RootElement.GetProperty("reference").GetString()!)
            .Where(reference => reference.StartsWith("innocent-", StringComparison.Ordinal))
            .ToList();
        spent.ShouldBeUnique();
        spent.Count.ShouldBe(bodies.Count(each => each.Path.Length == 0));
        (await app.GetAsync("/health/ready")).ShouldBe(200);
    }

    [Theory]
    [InlineData(
        "an event's contents",
        "alter table mt_events add constraint poison check (data ->> 'reference' is distinct from 'poison')"
    )]
    [InlineData("a row of a read model", "alter table usage_hourly add constraint poison check (tool <> 'sfx')")]
    [InlineData(
        "a trigger, after everything else",
        """
            create function poison() returns trigger language plpgsql as $$
            begin
              if new.data ->> 'reference' = 'poison' then
                raise exception 'poison';
              end if;
              return null;
            end $$;
            create constraint trigger poison after insert on mt_events deferrable initially deferred for each row execute function poison();
            """
    )]
    public async Task What_PostgreSQL_refuses_fails_alone_in_its_batch(string what, string poison)
    {
        await using var app = await LedgerApp.StartAsync(onKestrel: true);
        var account = await app.OpenAccountAsync(credits: 100_000);
        var other = await app.OpenAccountAsync(credits: 100_000);
        await app.QueryAsync(poison);

        Task<Answer>[] neighbours;
        Task<Answer> culprit;
        await using (var somebody = new NpgsqlConnection(app.Database + ";Pooling=false"))
        {
            // Holds both streams, so that all of them are queued when the next batch is taken.
            await somebody.OpenAsync();
            var transaction = await somebody.BeginTransactionAsync();
            await using (var hold = new NpgsqlCommand("select id from mt_streams for update", somebody))
                await hold.ExecuteNonQueryAsync();
            var first = SpendAsync(app, account, "first");
            await using (
                var waits = new NpgsqlCommand(
                    $"select count(*) from pg_stat_activity where datname = '{somebody.Database}' and wait_event_type = 'Lock'",
                    somebody
                )
            )
                await Eventually.IsSoAsync(async () => await waits.ExecuteScalarAsync() is 1L);
            var before = Enumerable.Range(0, 40).Select(n => SpendAsync(app, n % 2 == 0 ? account : other, $"r{n}")).ToArray();
            culprit = SpendAsync(app, account, "poison", "sfx");
            neighbours =
            [
                first,
                .. before,
                .. Enumerable.Range(40, 40).Select(n => SpendAsync(app, n % 2 == 0 ? account : other, $"r{n}")),
            ];
            await Eventually.IsSoAsync(() => app.QueueDepth() == 81);
            await transaction.RollbackAsync();
        }

        foreach (var answer in await Task.WhenAll(neighbours))
            answer.ShouldBe(200).ShouldHave("Idempotent-Replayed", null);
        var refused = await culprit;
        refused.Status.ShouldBeGreaterThanOrEqualTo(500, what);
        foreach (var leak in Leaks.Append("poison"))
            refused.Body.ShouldNotContain(leak, Case.Sensitive, what);
        (await app.AvailableAsync(account.Id)).ShouldBe(100_000 - (5 * 41));
        (await app.AvailableAsync(other.Id)).ShouldBe(100_000 - (5 * 40));

        // Nothing of it is left: once PostgreSQL takes it, it is charged, once.
        await app.QueryAsync(
            what.StartsWith("a trigger", StringComparison.Ordinal)
                ? "drop trigger poison on mt_events"
                : $"alter table {(what.StartsWith("an event", StringComparison.Ordinal) ? "mt_events" : "usage_hourly")} drop constraint poison"
        );
        (await SpendAsync(app, account, "poison", "sfx")).ShouldBe(200).ShouldHave("Idempotent-Replayed", null);
        (await SpendAsync(app, account, "poison", "sfx")).ShouldBe(200).ShouldHave("Idempotent-Replayed", "true");
        (await app.AvailableAsync(account.Id)).ShouldBe(100_000 - (5 * 41) - 20);
    }

    private static Task<Answer> SpendAsync(LedgerClient app, TestAccount account, string reference, string tool = "chat") =>
        app.PostAsync(
            "/api/v1/tools/spend",
            account.Key,
            new
            {
                tool,
                units = 1,
                reference,
            }
        );

    private static string PathOf(string route) => "/api/v1/tools/" + (route.Length == 0 ? "spend" : route);

    private static string Innocent(int n) =>
        string.Create(CultureInfo.InvariantCulture, $$"""{"tool":"chat","units":1,"reference":"innocent-{{n}}"}""");

    /// <summary>A body that was right and then was not, or hardly.</summary>
    private static (string Path, byte[] Body) Fuzz(Random dice, int n)
    {
        var path = ((string[])["spend", "spend", "reserve", "check", "settle", "release", "spend/batch"])[dice.Next(7)];
        var item = $$"""{"tool":"chat","units":1,"reference":"{{Reference}}-{{n}}"}""";
        var right = path switch
        {
            "spend/batch" => $$"""{"items":[{{Innocent(-n)}},{{item}},{{item}}]}""".Replace(
                "innocent",
                "batched",
                StringComparison.Ordinal
            ),
            "check" => """{"tool":"chat","units":1}""",
            "settle" => """{"hold_id":"a65d1689-5ea6-8c7d-b748-8f361fe66c90","units":1}""",
            "release" => """{"hold_id":"a65d1689-5ea6-8c7d-b748-8f361fe66c90"}""",
            _ => item,
        };
        var text = right;
        var bytes = Encoding.UTF8.GetBytes(right);
        for (var rounds = dice.Next(1, 4); rounds > 0; rounds--)
        {
            text = Mutate(dice, text);
            bytes = Encoding.UTF8.GetBytes(text);
        }

        // Bytes that are no text at all.
        if (dice.Next(3) == 0 && bytes.Length > 0)
        {
            for (var rounds = dice.Next(1, 4); rounds > 0; rounds--)
                bytes[dice.Next(bytes.Length)] = (byte)dice.Next(256);
        }

        return (path, bytes);
    }

    private static string Mutate(Random dice, string text)
    {
        string[] numbers =
        [
            "0",
            "-1",
            "-0",
            "1e400",
            "1e-400",
            "9223372036854775808",
            "1000000000.0000000001",
            "0.000000001",
            "1E9",
            "1e0",
            new string('9', 5000),
            "1." + new string('0', 5000),
            "NaN",
            "true",
            "null",
            "\"1\"",
            "[1]",
            "{}",
        ];
        string[] texts =
        [
            "",
            "\\u0000",
            "\\ud800",
            "\\udc00\\ud800",
            "\0",
            "\u202e\u0301\u200b",
            "\ud83d\udc69\u200d\ud83d\ude80",
            "';drop table mt_events;--",
            "{\"a\":1}".Replace("\"", "\\\"", StringComparison.Ordinal),
            "%s%n\\\\",
            "\ufeff",
            "\uffff",
            new string('x', 200),
            new string('x', 201),
            new string('\u00e9', 200),
            new string('x', 100_000),
            "\\u0000".PadLeft(199, 'x'),
        ];
        return dice.Next(9) switch
        {
            0 => text.Replace("\"units\":1", "\"units\":" + numbers[dice.Next(numbers.Length)], StringComparison.Ordinal),
            1 => text.Replace(Reference, texts[dice.Next(texts.Length)], StringComparison.Ordinal),
            2 => text.Replace("chat", texts[dice.Next(texts.Length)], StringComparison.Ordinal),
            3 => text.Replace("{\"tool\"", "{\"units\":2,\"tool\"", StringComparison.Ordinal),
            4 => text.Replace("\"units\":1", $"\"units\":1,\"metadata\":{Nested(dice)}", StringComparison.Ordinal),
            5 => text.Replace(
                "\"units\":1",
                "\"units\":1,\"metadata\":{\"m\":\"" + texts[dice.Next(texts.Length)] + "\"}",
                StringComparison.Ordinal
            ),
            6 when text.Length > 0 => text.Remove(dice.Next(text.Length), 1),
            7 when text.Length > 0 => text.Insert(dice.Next(text.Length), ((string[])["{", "}", "[", "\"", ",", "\\", ":"])[dice.Next(7)]),
            _ => text[..dice.Next(text.Length + 1)],
        };
    }

    private static string Nested(Random dice)
    {
        var depth = ((int[])[1, 60, 64, 65, 1000, 50_000])[dice.Next(6)];
        var nested = string.Concat(Enumerable.Repeat("{\"a\":", depth)) + "1" + new string('}', depth);
        return dice.Next(3) == 0 ? nested[..^1] : nested;
    }
}
