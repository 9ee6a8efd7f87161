using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Ledger.EventStore;
using Ledger.EventStore.Checkpoints;
using Ledger.EventStore.Transfer;
using Ledger.Projections.Rebuild;
using Ledger.Testing;
using Npgsql;

namespace Ledger.Projections.Tests.Transfer;

/// <summary>The log in files, and a ledger from them.</summary>
public sealed class TransferTests
{
    // Every table that an import fills, with every column.
    private static readonly string[] Tables =
    [
        "mt_streams",
        "mt_events",
        "accounts",
        "pockets",
        "holds",
        "referrals",
        "billing",
        "orders",
        "keys",
        "sign_ins",
        "trail",
        "usage_hourly",
        "prices",
        "rate_cards",
        "log_checkpoints",
    ];

    [Theory]
    [InlineData("jsonl", 71)]
    [InlineData("csv", 72)]
    public async Task What_is_imported_is_what_was_exported_row_for_row(string format, int seed)
    {
        await using var world = await TransferWorld.CreateAsync(seed);
        await SignAsync(world.Ledger.Database);
        var manifest = await world.ExportAsync("out", format);
        manifest.IsComplete.ShouldBeTrue();
        manifest.Parts.Count.ShouldBeGreaterThan(2);
        manifest.Events.ShouldBe(await world.Ledger.QueryAsync<long>("select count(*) from mt_events"));
        manifest.Checkpoints!.Count.ShouldBe(2);

        await using var imported = await world.ImportAsync("out");
        foreach (var table in Tables)
            (await DumpAsync(imported.Database, table)).ShouldBe(await DumpAsync(world.Ledger.Database, table), table);
        (await imported.Database.QueryAsync<long>("select last_value from mt_events_sequence")).ShouldBe(manifest.Finished);
        (await imported.Database.LinesAsync("select name || ' ' || last_seq_id from mt_event_progression order by name")).ShouldBe([
            $"checkpoints {manifest.Checkpoints.Position}",
        ]);
        (await Closures.FindAsync(imported.Database, default)).ShouldBeNull();
        (await new NpgsqlEventLog(imported.Database, ReadModelMigrations.All).CheckSchemaAsync(default)).ShouldBeNull();
        await foreach (var (_, verdict) in new ChainVerifier(imported.Database).VerifyAllAsync(default))
            verdict.Break.ShouldBeNull();

        // And what is exported from there is the same once more, to the byte.
        await new LogExport(imported.Database, TimeProvider.System).RunAsync(
            new(world.Folder("again"), format, null, null, 50),
            null,
            default
        );
        Files(world.Folder("again"))
            .Where(file => file.Key != "manifest.json")
            .ShouldBe(Files(world.Folder("out")).Where(file => file.Key != "manifest.json"));
    }

    [Theory]
    [InlineData("jsonl")]
    [InlineData("csv")]
    public async Task An_export_that_was_killed_goes_on_and_ends_with_the_same_bytes(string format)
    {
        await using var world = await TransferWorld.CreateAsync(73);
        await world.ExportAsync("whole", format);
        using var kill = new CancellationTokenSource();
        await Should.ThrowAsync<OperationCanceledException>(() =>
            world.ExportAsync("killed", format, ct: kill.Token, progress: new Told(_ => kill.Cancel()))
        );

        // As after a process that was killed in the middle of a part, of a manifest, and before its first one.
        foreach (var finished in (int[])[0, 1, 3])
        {
            Directory.Delete(world.Folder("killed"), recursive: true);
            Directory.CreateDirectory(world.Folder("killed"));
            var manifest = (await ExportManifest.ReadAsync(world.Folder("whole"), default))!;
            foreach (var part in manifest.Parts.Take(finished))
                File.Copy(Path.Combine(world.Folder("whole"), part.File), Path.Combine(world.Folder("killed"), part.File));
            var next = manifest.Parts[finished].File;
            await File.WriteAllTextAsync(Path.Combine(world.Folder("killed"), next + ".part"), "half of it");
            await File.WriteAllTextAsync(Path.Combine(world.Folder("killed"), "manifest.json.new"), "{");
            if (finished > 0)
                await (manifest with { Parts = [.. manifest.Parts.Take(finished)], IsComplete = false }).WriteAsync(
                    world.Folder("killed"),
                    default
                );
            await File.WriteAllTextAsync(Path.Combine(world.Folder("killed"), "manifest.json.new"), "{");
            await world.ExportAsync("killed", format);
            Files(world.Folder("killed")).ShouldBe(Files(world.Folder("whole")));
        }

        // Nothing is done twice.
        var before = File.GetLastWriteTimeUtc(Path.Combine(world.Folder("whole"), "manifest.json"));
        (await world.ExportAsync("whole", format)).IsComplete.ShouldBeTrue();
        File.GetLastWriteTimeUtc(Path.Combine(world.Folder("whole"), "manifest.json")).ShouldBe(before);
    }

    [Fact]
    public async Task An_export_stops_before_what_may_still_be_committed()
    {
        await using var world = await TransferWorld.CreateAsync(74, steps: 3);
        await using var connection = await world.Ledger.Database.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var late = new NpgsqlCommand(
            """
            insert into mt_events (seq_id, id, stream_id, version, data, type, timestamp)
            values (nextval('mt_events_sequence'), '00000000-0000-0000-0000-000000000001', 'late', 2, '{}', 'late', now())
            returning seq_id
            """,
            connection
        );
        var drawn = (long)(await late.ExecuteScalarAsync())!;
        await world.Ledger.PublishAsync(Domain.Money.Quantity.Of(3));
        var exporting = world.ExportAsync("out");
        exporting.IsCompleted.ShouldBeFalse();
        await transaction.CommitAsync();
        var manifest = await exporting;
        manifest.UpTo.ShouldBe(drawn + 1);
        manifest.Events.ShouldBe(await world.Ledger.QueryAsync<long>("select count(*) from mt_events"));
    }

    [Theory]
    [InlineData("events-000002.jsonl.gz.part", "What was finished stays, up to position ")]
    [InlineData("events-000001.jsonl.gz.part", "What was finished stays, up to position 0")]
    [InlineData("manifest.json.new", "Nothing was exported.")]
    public async Task A_full_disk_is_said_and_what_was_finished_stays(string file, string told)
    {
        await using var world = await TransferWorld.CreateAsync(84);
        await world.ExportAsync("whole");
        Directory.CreateDirectory(world.Folder("full"));

        // A device that has no room, ever; it is said by the system itself.
        File.CreateSymbolicLink(Path.Combine(world.Folder("full"), file), "/dev/full");
        var fault = await Should.ThrowAsync<TransferException>(() => world.ExportAsync("full"));
        fault.Message.ShouldStartWith($"There is no room left for {world.Folder("full")}. {told}");
        Directory.GetFiles(world.Folder("full"), "*.part").ShouldBeEmpty();

        // Somebody made room.
        File.Delete(Path.Combine(world.Folder("full"), file));
        await world.ExportAsync("full");
        Files(world.Folder("full")).ShouldBe(Files(world.Folder("whole")));
    }

    [Fact]
    public async Task A_range_is_exported_and_not_imported_unless_it_begins_with_the_log()
    {
        await using var world = await TransferWorld.CreateAsync(75);
        var middle = await world.Ledger.QueryAsync<long>("select seq_id from mt_events order by seq_id offset 60 limit 1");
        (await world.ExportAsync("tail", from: middle)).Parts[0].First.ShouldBe(middle);
        (await Should.ThrowAsync<TransferException>(() => world.ImportAsync("tail"))).Message.ShouldContain("Only a whole log");

        var head = await world.ExportAsync("head", to: middle);
        head.Events.ShouldBe(61);
        await using var imported = await world.ImportAsync("head");
        (await DumpAsync(imported.Database, "mt_events")).ShouldBe(
            await world.Ledger.LinesAsync(
                $"select to_jsonb(t)::text from mt_events t where seq_id <= {middle} order by to_jsonb(t)::text collate \"C\""
            )
        );
        (await new Rebuilder(imported.Database, TimeProvider.System).CompareAsync("all", null, default)).ShouldBeEmpty();

        (await Should.ThrowAsync<TransferException>(() => world.ExportAsync("far", to: 1_000_000))).Message.ShouldContain("The log ends");
        (await Should.ThrowAsync<TransferException>(() => world.ExportAsync("far", from: 1_000_000))).Message.ShouldContain("The log ends");
        (await Should.ThrowAsync<TransferException>(() => world.ExportAsync("head", to: middle - 1))).Message.ShouldContain(
            "holds another export"
        );
        (await Should.ThrowAsync<TransferException>(() => world.ExportAsync("tail", "csv", from: middle))).Message.ShouldContain(
            "holds another export"
        );
    }

    [Theory]
    [InlineData("jsonl")]
    [InlineData("csv")]
    public async Task Texts_of_every_sort_come_back_as_they_were(string format)
    {
        await using var world = await TransferWorld.CreateAsync(76, steps: 2);
        await world.Ledger.ExecuteAsync(
            """
            update mt_events set correlation_id = e'quo"te, comma,\nline\r\n"feed"' where seq_id = 1;
            update mt_events set correlation_id = '', causation_id = '"' where seq_id = 2;
            update mt_events set correlation_id = e'back\\slash \t tab äöü 🙂', mt_dotnet_type = null where seq_id = 3;
            update mt_events set correlation_id = null, causation_id = '=1+1' where seq_id = 4
            """
        );
        await world.ExportAsync("out", format);
        await using var imported = await world.ImportAsync("out");
        (await DumpAsync(imported.Database, "mt_events")).ShouldBe(await DumpAsync(world.Ledger.Database, "mt_events"));
    }

    [Fact]
    public async Task An_empty_log_is_exported_and_imported()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        await using var folder = TestFolder.Create();
        var manifest = await new LogExport(ledger.Database, TimeProvider.System).RunAsync(
            new(folder.Data, "jsonl", null, null, 10),
            null,
            default
        );
        (manifest.Events, manifest.IsComplete).ShouldBe((0, true));
        await using var imported = await Imported.CreateAsync();
        await imported.RunAsync(folder.Data);
        (await imported.Database.QueryAsync<long>("select count(*) from mt_events")).ShouldBe(0);
    }

    [Theory]
    [InlineData("jsonl", "flip", "line ")]
    [InlineData("csv", "flip", "line 42: its checksum")]
    [InlineData("jsonl", "line", "line 42: its checksum")]
    [InlineData("csv", "line", "line 42: its checksum")]
    [InlineData("jsonl", "double", "line 43: its checksum")]
    [InlineData("jsonl", "swap", "line 42: its checksum")]
    [InlineData("jsonl", "last", "line 50: it is missing")]
    [InlineData("csv", "last", "line 51: it is missing")]
    [InlineData("jsonl", "truncate", "line ")]
    [InlineData("csv", "truncate", "it does not end: the file was cut short")]
    [InlineData("jsonl", "tail", "behind line 50")]
    [InlineData("jsonl", "quote", "line 42: it does not end with a checksum")]
    [InlineData("csv", "quote", "line 42: it")]
    [InlineData("csv", "head", "line 1: it is not the line of column names")]
    [InlineData("jsonl", "gone", "cannot be read")]
    [InlineData("jsonl", "other", "is not what")]
    public async Task A_damaged_part_is_told_by_file_and_line_and_nothing_is_changed(string format, string damage, string told)
    {
        await using var world = await TransferWorld.CreateAsync(77);
        var manifest = await world.ExportAsync("out", format);
        var (path, compressed) = (Path.Combine(world.Folder("out"), manifest.Parts[1].File), format == "jsonl");
        switch (damage)
        {
            case "flip" when compressed:
                var bytes = await File.ReadAllBytesAsync(path);
                bytes[bytes.Length / 2] ^= 0x40;
                await File.WriteAllBytesAsync(path, bytes);
                break;
            case "flip":
                await ChangeAsync(path, compressed, lines => lines[41] = lines[41].Replace("request", "Request", StringComparison.Ordinal));
                break;
            case "line":
                await ChangeAsync(path, compressed, lines => lines.RemoveAt(41));
                break;
            case "double":
                await ChangeAsync(path, compressed, lines => lines.Insert(42, lines[41]));
                break;
            case "swap":
                await ChangeAsync(path, compressed, lines => (lines[41], lines[42]) = (lines[42], lines[41]));
                break;
            case "last":
                await ChangeAsync(path, compressed, lines => lines.RemoveAt(lines.Count - 1));
                break;
            case "truncate":
                await using (var file = new FileStream(path, FileMode.Open))
                    file.SetLength(file.Length * 2 / 3);
                break;
            case "tail":
                await File.AppendAllTextAsync(path, "\0\0\0\0");
                break;
            case "quote":
                await ChangeAsync(path, compressed, lines => lines[41] = lines[41][..^9] + "\"");
                break;
            case "head":
                await ChangeAsync(path, compressed, lines => lines[0] = lines[0].ToUpperInvariant());
                break;
            case "gone":
                File.Delete(path);
                break;
            default:
                await File.WriteAllTextAsync(path, "something else\n");
                break;
        }

        await using var empty = await Imported.CreateAsync();
        var fault = await Should.ThrowAsync<TransferException>(() => empty.RunAsync(world.Folder("out")));
        fault.Message.ShouldContain(damage == "other" ? " line 1: what is compressed there is damaged" : told);
        fault.Message.ShouldContain(manifest.Parts[1].File);
        await IsEmptyAsync(empty);
    }

    [Theory]
    [InlineData("count", "its digest is not that of what it says")]
    [InlineData("json", "line 3: it is not the manifest of an export")]
    [InlineData("format", "in a format that this program does not know")]
    [InlineData("complete", "is not complete")]
    [InlineData("order", "its part 1 is not lawful")]
    [InlineData("missing", "it has no manifest.json")]
    public async Task A_wrong_manifest_is_refused_and_nothing_is_changed(string damage, string told)
    {
        await using var world = await TransferWorld.CreateAsync(78, steps: 10);
        var manifest = await world.ExportAsync("out", part: 20);
        var path = Path.Combine(world.Folder("out"), "manifest.json");
        var text = await File.ReadAllTextAsync(path);
        switch (damage)
        {
            case "count":
                await File.WriteAllTextAsync(path, text.Replace("\"events\": 20", "\"events\": 19", StringComparison.Ordinal));
                break;
            case "json":
                await File.WriteAllTextAsync(path, text.Replace("\"lines\": ", "\"lines\" ", StringComparison.Ordinal));
                break;
            case "format":
                await File.WriteAllTextAsync(path, text.Replace("\"format\": 1", "\"format\": 2", StringComparison.Ordinal));
                break;
            case "complete":
                await (manifest with { IsComplete = false }).WriteAsync(world.Folder("out"), default);
                break;
            case "order":
                await (manifest with { Parts = [.. manifest.Parts.Reverse()] }).WriteAsync(world.Folder("out"), default);
                break;
            default:
                File.Delete(path);
                break;
        }

        await using var empty = await Imported.CreateAsync();
        (await Should.ThrowAsync<TransferException>(() => empty.RunAsync(world.Folder("out")))).Message.ShouldContain(told);
        await IsEmptyAsync(empty);
    }

    [Theory]
    [InlineData("body", "it is not what its hash says")]
    [InlineData("drop", "is missing before it")]
    [InlineData("metadata", "it is not what its hash says")]
    public async Task Whoever_makes_every_checksum_anew_is_found_by_the_chain(string change, string told)
    {
        await using var world = await TransferWorld.CreateAsync(79);
        var victim = await world.Ledger.QueryAsync<string>(
            "select stream_id from mt_events where type = 'credits_spent' group by stream_id order by count(*) desc limit 1"
        );
        await world.Ledger.ExecuteAsync(
            change switch
            {
                "body" =>
                    $"update mt_events set data = jsonb_set(data, '{{units}}', '\"999\"') where seq_id = (select min(seq_id) from mt_events where stream_id = '{victim}' and type = 'credits_spent')",
                "drop" =>
                    $"delete from mt_events where seq_id = (select min(seq_id) from mt_events where stream_id = '{victim}' and version = 2)",
                _ => $"update mt_events set timestamp = timestamp + interval '1 microsecond' where stream_id = '{victim}' and version = 2",
            }
        );
        await world.ExportAsync("out");
        await using var empty = await Imported.CreateAsync();
        var fault = await Should.ThrowAsync<TransferException>(() => empty.RunAsync(world.Folder("out")));
        fault.Message.ShouldContain(told);
        fault.Message.ShouldMatch(@"events-00000\d\.jsonl\.gz line \d+: ");
        await IsEmptyAsync(empty);
    }

    [Fact]
    public async Task Whoever_makes_the_chain_anew_too_is_found_by_the_checkpoints()
    {
        await using var world = await TransferWorld.CreateAsync(80);
        await SignAsync(world.Ledger.Database);

        // The last event of a stream: no other names it.
        await world.Ledger.ExecuteAsync(
            """
            delete from mt_events m using mt_streams s
            where s.id = 'account-a001' and m.stream_id = s.id and m.version = s.version;
            update mt_streams set version = version - 1 where id = 'account-a001'
            """
        );
        await world.ExportAsync("out");
        await using var empty = await Imported.CreateAsync();
        (await Should.ThrowAsync<TransferException>(() => empty.RunAsync(world.Folder("out")))).Message.ShouldContain(
            "are not those that checkpoint "
        );
        await IsEmptyAsync(empty);

        var file = Path.Combine(world.Folder("out"), "checkpoints.jsonl");
        var text = await File.ReadAllTextAsync(file);
        await File.WriteAllTextAsync(file, text.Replace("\"count\":", "\"count\":1", StringComparison.Ordinal));
        (await Should.ThrowAsync<CheckpointFileException>(() => empty.RunAsync(world.Folder("out")))).Message.ShouldContain("line 2");
        await IsEmptyAsync(empty);
    }

    [Fact]
    public async Task A_ledger_that_has_something_is_not_imported_into()
    {
        await using var world = await TransferWorld.CreateAsync(81, steps: 4);
        await world.ExportAsync("out");
        var before = await world.Ledger.DumpAsync();
        var import = new Ledger.Projections.Transfer.LedgerImport(world.Ledger.Database, world.Ledger.Log, TimeProvider.System);
        (await Should.ThrowAsync<TransferException>(() => import.RunAsync(world.Folder("out"), null, null, default))).Message.ShouldContain(
            "not empty"
        );
        (await world.Ledger.DumpAsync()).ShouldBe(before);
        (await Closures.FindAsync(world.Ledger.Database, default)).ShouldBeNull();
    }

    [Theory]
    [InlineData("verify")]
    [InlineData("load")]
    [InlineData("compare")]
    public async Task An_import_that_is_interrupted_before_the_log_stands_leaves_nothing(string stage)
    {
        await using var world = await TransferWorld.CreateAsync(82, steps: 10);
        await world.ExportAsync("out", part: 20);
        await using var empty = await Imported.CreateAsync();
        using var kill = new CancellationTokenSource();
        var interrupt = new Told(progress =>
        {
            if (progress.Stage == stage)
                kill.Cancel();
        });
        await Should.ThrowAsync<Exception>(() => empty.RunAsync(world.Folder("out"), interrupt, kill.Token));
        await IsEmptyAsync(empty);
        (await empty.RunAsync(world.Folder("out"))).IsComplete.ShouldBeTrue();
        (await DumpAsync(empty.Database, "mt_events")).ShouldBe(await DumpAsync(world.Ledger.Database, "mt_events"));
    }

    [Fact]
    public async Task An_import_without_its_read_models_keeps_the_ledger_closed_until_it_is_run_again()
    {
        await using var world = await TransferWorld.CreateAsync(83, steps: 10);
        await world.ExportAsync("out");
        await world.ExportAsync("other", part: 20);
        await using var imported = await Imported.CreateAsync();
        var log = new NpgsqlEventLog(imported.Database, ReadModelMigrations.All);

        // Somebody else's rebuild is under way: as good as a crash right behind the log.
        await log.MigrateAsync(default);
        await using (var turn = await imported.Database.OpenConnectionAsync())
        {
            await using var take = new NpgsqlCommand($"select pg_advisory_lock({0x4C65_6467_6572_02})", turn);
            await take.ExecuteNonQueryAsync();
            await Should.ThrowAsync<RebuildRefusedException>(() => imported.RunAsync(world.Folder("out")));
            await using var give = new NpgsqlCommand("select pg_advisory_unlock_all()", turn);
            await give.ExecuteNonQueryAsync();
        }

        (await log.CheckSchemaAsync(default)).ShouldNotBeNull().ShouldContain("an import into it has not come to its end");
        (await Should.ThrowAsync<SchemaException>(() => log.MigrateAsync(default))).Message.ShouldContain("closed");
        (await Should.ThrowAsync<TransferException>(() => imported.RunAsync(world.Folder("other")))).Message.ShouldContain(
            "Another export"
        );
        await imported.RunAsync(world.Folder("out"));
        (await log.CheckSchemaAsync(default)).ShouldBeNull();
        (await DumpAsync(imported.Database, "accounts")).ShouldBe(await DumpAsync(world.Ledger.Database, "accounts"));
    }

    private static async Task IsEmptyAsync(Imported imported)
    {
        (await LogImport.IsEmptyAsync(imported.Database, default)).ShouldBeTrue();
        (await Closures.FindAsync(imported.Database, default)).ShouldBeNull();
    }

    private static Task<IReadOnlyList<string>> DumpAsync(NpgsqlDataSource database, string table) =>
        database.LinesAsync($"select to_jsonb(t)::text from {table} t order by to_jsonb(t)::text collate \"C\"");

    private static SortedDictionary<string, string> Files(string folder) =>
        new(
            Directory
                .GetFiles(folder)
                .ToDictionary(file => Path.GetFileName(file), file => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)))),
            StringComparer.Ordinal
        );

    /// <summary>Changes the lines of a part.</summary>
    private static async Task ChangeAsync(string path, bool compressed, Action<List<string>> change)
    {
        string text;
        await using (var file = File.OpenRead(path))
        {
            await using Stream body = compressed ? new GZipStream(file, CompressionMode.Decompress) : file;
            using var reader = new StreamReader(body);
            text = await reader.ReadToEndAsync();
        }

        var lines = text.TrimEnd('\n').Split('\n').ToList();
        change(lines);
        await using (var file = File.Create(path))
        {
            await using Stream body = compressed ? new GZipStream(file, CompressionLevel.Fastest) : file;
            await body.WriteAsync(Encoding.UTF8.GetBytes(string.Join('\n', lines) + "\n"));
        }
    }

    /// <summary>Two checkpoints over nearly all there is.</summary>
    private static async Task SignAsync(NpgsqlDataSource database)
    {
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var key = CheckpointKey.Of(pair);
        await new LogCheckpoints(database).AddKeyAsync(new(key, [1], LedgerDatabase.Start), onlyFirst: true, default);
        await using var turn = (await CheckpointTurn.TryTakeAsync(database, default))!;
        (await turn.MakeAsync(LedgerDatabase.Start, key.Id, form => CheckpointKey.Sign(pair, form), 1, default)).ShouldNotBeNull();
        while (
            await turn.MakeAsync(LedgerDatabase.Start, key.Id, form => CheckpointKey.Sign(pair, form), int.MaxValue, default) is not null
        )
        {
            // All there is.
        }
    }

    private sealed class Told(Action<TransferProgress> tell) : IProgress<TransferProgress>
    {
        public void Report(TransferProgress value) => tell(value);
    }
}
