using System.Buffers;
using System.Text.Json;

namespace Ledger.EventStore.Checkpoints;

/// <summary>One line of a file of checkpoints: a checkpoint, or the key that signs those after it.</summary>
/// <param name="Number">The line, from 1.</param>
/// <param name="Checkpoint">The checkpoint; null where it is a key.</param>
/// <param name="Key">The key; null where it is a checkpoint.</param>
public sealed record CheckpointLine(long Number, SignedCheckpoint? Checkpoint, CheckpointKey? Key);

/// <summary>A file of checkpoints cannot be used.</summary>
/// <param name="message">Which line, and why.</param>
public sealed class CheckpointFileException(string message) : Exception(message);

/// <summary>
/// The checkpoints outside of the database: one JSON object per line, only ever added to, on disk before anything else is done. It is what a database that
/// somebody has rewritten is held against.
/// </summary>
/// <param name="path">Where it is.</param>
public sealed class CheckpointFile(string path)
{
    /// <summary>Where it is.</summary>
    public string Path => path;

    /// <summary>Whether there is one.</summary>
    public bool Exists => File.Exists(path);

    /// <summary>Every line in order, read as it is asked for. A last line that was cut short by a crash is left out.</summary>
    /// <exception cref="CheckpointFileException">A line is neither checkpoint nor key, or the file cannot be read.</exception>
    public IEnumerable<CheckpointLine> Read()
    {
        using var file = Open();
        using var reader = new StreamReader(file);
        for (long number = 1; reader.ReadLine() is { } text; number++)
        {
            if (text.Length == 0)
                continue;
            if (reader.EndOfStream && !EndsWithNewLine(file))
                yield break;
            yield return Parse(text, number);
        }
    }

    /// <summary>Adds lines, and has them on disk when it returns.</summary>
    public async Task AppendAsync(IReadOnlyList<CheckpointKey> keys, IReadOnlyList<SignedCheckpoint> checkpoints, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(checkpoints);
        var lines = new ArrayBufferWriter<byte>(1024);
        foreach (var key in keys)
        {
            Line(
                lines,
                json =>
                {
                    json.WriteStartObject();
                    json.WritePropertyName("key");
                    CheckpointText.Write(json, key);
                    json.WriteEndObject();
                }
            );
        }

        foreach (var checkpoint in checkpoints)
            Line(lines, json => CheckpointText.Write(json, checkpoint, withSegments: true));
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!);
        await using var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        file.SetLength(WholeLines(file));
        file.Seek(0, SeekOrigin.End);
        await file.WriteAsync(lines.WrittenMemory, ct);
        await file.FlushAsync(ct);
        file.Flush(flushToDisk: true);
    }

    private FileStream Open()
    {
        try
        {
            return new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointFileException($"{path} cannot be read: {e.Message}");
        }
    }

    private CheckpointLine Parse(string text, long number)
    {
        try
        {
            using var json = JsonDocument.Parse(text, new() { AllowDuplicateProperties = false });
            return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("key", out var key)
                ? new(number, null, CheckpointText.ReadKey(key))
                : new(number, CheckpointText.Read(json.RootElement), null);
        }
        catch (JsonException)
        {
            throw new CheckpointFileException($"{path} line {number}: it is not JSON.");
        }
        catch (FormatException e)
        {
            throw new CheckpointFileException($"{path} line {number}: {e.Message}.");
        }
    }

    private static void Line(ArrayBufferWriter<byte> to, Action<Utf8JsonWriter> write)
    {
        using (var json = new Utf8JsonWriter(to))
            write(json);
        to.Write("\n"u8);
    }

    private static bool EndsWithNewLine(FileStream file)
    {
        var at = file.Position;
        file.Seek(-1, SeekOrigin.End);
        var last = file.ReadByte();
        file.Position = at;
        return last == '\n';
    }

    /// <summary>How long the file is without what a crash has cut short.</summary>
    private static long WholeLines(FileStream file)
    {
        for (var at = file.Length; at > 0; at--)
        {
            file.Position = at - 1;
            if (file.ReadByte() == '\n')
                return at;
        }

        return 0;
    }
}
