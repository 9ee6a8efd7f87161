using System.Security.Cryptography;

namespace Ledger.Api.Http;

/// <summary>
/// Gives every request an id of ours: in <c>x-request-id</c> of the answer, in logs, and as correlation id in the events. It begins with the time, so that
/// what a request did is looked for in its account's history about then, without an index over all requests. A caller's own <c>x-request-id</c> is not read.
/// </summary>
internal static class RequestIds
{
    private const string Digits = "0123456789abcdefghjkmnpqrstvwxyz";
    private const int TimeLength = 9;
    private const int ProcessLength = 6;
    private const int Length = 20;
    private static readonly string Process = RandomNumberGenerator.GetString(Digits, ProcessLength);
    private static long _count;

    /// <summary>The next id, for what is not looked for by the time of a clock of its own.</summary>
    public static string Next() => Next(TimeProvider.System);

    /// <summary>The next id: nine characters of the time in milliseconds, six of this process, and five of a count. They sort by their time.</summary>
    public static string Next(TimeProvider time) =>
        string.Create(
            Length,
            (Milliseconds: time.GetUtcNow().ToUnixTimeMilliseconds(), Count: Interlocked.Increment(ref _count)),
            static (text, id) =>
            {
                Write(text[..TimeLength], id.Milliseconds);
                Process.CopyTo(text[TimeLength..]);
                Write(text[(TimeLength + ProcessLength)..], id.Count);
            }
        );

    /// <summary>When a request came, by its id, to the millisecond; false where the text is no id of ours.</summary>
    public static bool TryRead(string text, out DateTimeOffset at)
    {
        at = default;
        if (text.Length != Length)
            return false;
        var milliseconds = 0L;
        for (var i = 0; i < Length; i++)
        {
            var digit = Digits.IndexOf(text[i], StringComparison.Ordinal);
            if (digit < 0)
                return false;
            if (i < TimeLength)
                milliseconds = (milliseconds << 5) | (uint)digit;
        }

        // Nine digits reach into the year 3084.
        at = DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
        return true;
    }

    /// <summary>Stamps each request and its answer.</summary>
    public static void UseRequestIds(this IApplicationBuilder app)
    {
        var time = app.ApplicationServices.GetRequiredService<TimeProvider>();
        app.Use(
            (context, next) =>
            {
                var id = Next(time);
                context.TraceIdentifier = id;
                context.Response.Headers["x-request-id"] = id;
                return next(context);
            }
        );
    }

    private static void Write(Span<char> text, long number)
    {
        for (var i = text.Length - 1; i >= 0; i--)
        {
            text[i] = Digits[(int)(number & 31)];
            number >>= 5;
        }
    }
}
