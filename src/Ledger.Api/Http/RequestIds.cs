using System.Security.Cryptography;

namespace Ledger.Api.Http;

/// <summary>Gives every request an id of ours: in <c>x-request-id</c> of the answer, in logs, and as correlation id in the events.</summary>
internal static class RequestIds
{
    private const string Digits = "0123456789abcdefghjkmnpqrstvwxyz";
    private static readonly string Process = RandomNumberGenerator.GetString(Digits, 8);
    private static long _count;

    /// <summary>The next id: eight characters of this process, and a count.</summary>
    public static string Next() =>
        string.Create(
            16,
            Interlocked.Increment(ref _count),
            static (text, count) =>
            {
                Process.CopyTo(text);
                for (var i = 15; i >= 8; i--)
                {
                    text[i] = Digits[(int)(count & 31)];
                    count >>= 5;
                }
            }
        );

    /// <summary>Stamps each request and its answer.</summary>
    public static void UseRequestIds(this IApplicationBuilder app) =>
        app.Use(
            static (context, next) =>
            {
                var id = Next();
                context.TraceIdentifier = id;
                context.Response.Headers["x-request-id"] = id;
                return next(context);
            }
        );
}
