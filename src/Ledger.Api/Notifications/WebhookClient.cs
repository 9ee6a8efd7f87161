using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using Ledger.Projections.Notifications;

namespace Ledger.Api.Notifications;

/// <summary>What a request came to.</summary>
/// <param name="Status">The HTTP status of its answer; null where it got none.</param>
/// <param name="Error">Why it failed; null where it did not.</param>
internal readonly record struct WebhookAnswer(int? Status, string? Error);

/// <summary>Sends webhooks, over connections that are used again: directly, without proxies, redirects, cookies or anybody's credentials.</summary>
internal sealed class WebhookClient : IDisposable
{
    // What is kept of an answer that says no.
    private const int MaxExcerpt = 1024;
    private readonly HttpClient _http;
    private readonly NotificationOptions _options;
    private readonly TimeProvider _time;

    public WebhookClient(PublicAddresses addresses, NotificationOptions options, TimeProvider time)
    {
        (_options, _time) = (options, time);
        _http = new(
            new SocketsHttpHandler
            {
                ConnectCallback = addresses.ConnectAsync,
                ConnectTimeout = options.Timeout,
                AllowAutoRedirect = false,
                UseProxy = false,
                UseCookies = false,
                ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator(),

                // So long an address stays what its name led to; and so much of an answer that nobody reads is read on, for the connection to be used again.
                PooledConnectionLifetime = TimeSpan.FromMinutes(2),
                MaxResponseDrainSize = 16 * 1024,
                ResponseDrainTimeout = TimeSpan.FromSeconds(1),
                MaxResponseHeadersLength = 16,
            }
        )
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>Sends one, signed.</summary>
    public async Task<WebhookAnswer> PostAsync(Uri url, string secret, Delivery delivery, CancellationToken ct)
    {
        var body = Encoding.UTF8.GetBytes(delivery.Body);
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.UserAgent.Add(new("Ledger", "1"));
        request.Headers.Add("Ledger-Event-Id", Notice.NameOf(delivery.EventId));
        request.Headers.Add(WebhookSignature.HeaderName, WebhookSignature.Of(secret, body, _time.GetUtcNow()));
        using var patience = new CancellationTokenSource(_options.Timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, ct);
        try
        {
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            var status = (int)response.StatusCode;
            return response.IsSuccessStatusCode ? new(status, null)
                : status is >= 300 and < 400 ? new(status, $"answered {status}, and redirects are not followed")
                : new(status, await ExcerptAsync(response, status, either.Token));
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new(null, FormattableString.Invariant($"no answer within {_options.Timeout.TotalSeconds} s"));
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException)
        {
            // Whatever is wrapped in it says what was the matter: the name, the address, the certificate.
            return new(null, OneLine(fault.GetBaseException().Message));
        }
    }

    public void Dispose() => _http.Dispose();

    private static async Task<string> ExcerptAsync(HttpResponseMessage response, int status, CancellationToken ct)
    {
        var bytes = new byte[MaxExcerpt];
        var length = 0;
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(ct);
            length = await stream.ReadAtLeastAsync(bytes, MaxExcerpt, throwOnEndOfStream: false, ct);
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException or OperationCanceledException)
        {
            // The status was there, and it is what counts.
        }

        var text = OneLine(Encoding.UTF8.GetString(bytes, 0, length));
        return text.Length == 0 ? $"answered {status}" : $"answered {status}: {text}";
    }

    /// <summary>A stranger's text as one line that can be stored and shown: without control characters, invisible ones and broken ones.</summary>
    public static string OneLine(string text)
    {
        var line = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            var isBlank =
                rune == Rune.ReplacementChar
                || Rune.GetUnicodeCategory(rune)
                    is System.Globalization.UnicodeCategory.Control
                        or System.Globalization.UnicodeCategory.Format
                        or System.Globalization.UnicodeCategory.PrivateUse
                        or System.Globalization.UnicodeCategory.OtherNotAssigned
                || Rune.IsWhiteSpace(rune);
            if (!isBlank)
                line.Append(rune);
            else if (line.Length > 0 && line[^1] != ' ')
                line.Append(' ');
        }

        return line.ToString().TrimEnd();
    }
}
