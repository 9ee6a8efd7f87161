using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Ledger.Api.Http;

/// <summary>Writes small JSON answers: into memory first, so that every answer has a length and none is sent half.</summary>
internal static class JsonAnswer
{
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    /// <summary>Sends an answer.</summary>
    /// <param name="context">The request.</param>
    /// <param name="status">The HTTP status.</param>
    /// <param name="state">What <paramref name="write"/> needs, so that it can be static.</param>
    /// <param name="write">Writes one JSON value.</param>
    public static Task SendAsync<TState>(HttpContext context, int status, TState state, Action<Utf8JsonWriter, TState> write)
    {
        var buffer = _buffer ??= new(512);
        var writer = _writer ??= new(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        buffer.ResetWrittenCount();
        writer.Reset(buffer);
        write(writer, state);
        writer.Flush();
        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = "application/json";
        response.ContentLength = buffer.WrittenCount;

        // Copied before the first await: the buffer belongs to the thread, not to the request.
        response.BodyWriter.Write(buffer.WrittenSpan);
        var flush = response.BodyWriter.FlushAsync();
        return flush.IsCompletedSuccessfully ? Task.CompletedTask : flush.AsTask();
    }
}
