using System.Buffers;

namespace Ledger.Api.Http;

/// <summary>Reads a whole body into memory, at most 10 MiB.</summary>
internal static class RequestBody
{
    /// <summary>The largest body, in bytes. The server refuses a longer one by its length; here it is refused whoever serves.</summary>
    public const int Max = 10 * 1024 * 1024;

    /// <summary>The body, valid until <see cref="Release"/>.</summary>
    public static async ValueTask<ReadOnlySequence<byte>> ReadAsync(HttpContext context)
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync(context.RequestAborted);
            if (result.Buffer.Length > Max)
            {
                reader.AdvanceTo(result.Buffer.End);
                throw new BadHttpRequestException("The body is larger than 10 MiB.", StatusCodes.Status413PayloadTooLarge);
            }

            if (result.IsCompleted)
                return result.Buffer;
            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    /// <summary>Gives the memory back.</summary>
    public static void Release(HttpContext context, ReadOnlySequence<byte> body) => context.Request.BodyReader.AdvanceTo(body.End);
}
