using System.Buffers;

namespace Ledger.Api.Http;

/// <summary>Reads a whole body into memory; the server's own limit (10 MiB) bounds it.</summary>
internal static class RequestBody
{
    /// <summary>The body, valid until <see cref="Release"/>.</summary>
    public static async ValueTask<ReadOnlySequence<byte>> ReadAsync(HttpContext context)
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync(context.RequestAborted);
            if (result.IsCompleted) return result.Buffer;
            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    /// <summary>Gives the memory back.</summary>
    public static void Release(HttpContext context, ReadOnlySequence<byte> body) => context.Request.BodyReader.AdvanceTo(body.End);
}
