using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Ledger.Testing;

/// <summary>Requests that read like sentences, to wherever a ledger is.</summary>
/// <param name="http">Where to.</param>
public class LedgerClient(HttpClient http)
{
    /// <summary>The client underneath, for requests that only HTTP itself can say.</summary>
    public HttpClient Http => http;

    /// <summary>GET.</summary>
    /// <param name="path">Where.</param>
    /// <param name="key">The bearer token; none where null.</param>
    public Task<Answer> GetAsync(string path, string? key = null) => SendAsync(HttpMethod.Get, path, key);

    /// <summary>POST.</summary>
    /// <param name="path">Where.</param>
    /// <param name="key">The bearer token; none where null.</param>
    /// <param name="body">See <see cref="SendAsync(HttpMethod, string, string?, object?)"/>.</param>
    public Task<Answer> PostAsync(string path, string? key = null, object? body = null) => SendAsync(HttpMethod.Post, path, key, body);

    /// <summary>PUT.</summary>
    /// <param name="path">Where.</param>
    /// <param name="key">The bearer token; none where null.</param>
    /// <param name="body">See <see cref="SendAsync(HttpMethod, string, string?, object?)"/>.</param>
    public Task<Answer> PutAsync(string path, string? key = null, object? body = null) => SendAsync(HttpMethod.Put, path, key, body);

    /// <summary>PATCH.</summary>
    /// <param name="path">Where.</param>
    /// <param name="key">The bearer token; none where null.</param>
    /// <param name="body">See <see cref="SendAsync(HttpMethod, string, string?, object?)"/>.</param>
    public Task<Answer> PatchAsync(string path, string? key = null, object? body = null) => SendAsync(HttpMethod.Patch, path, key, body);

    /// <summary>DELETE.</summary>
    /// <param name="path">Where.</param>
    /// <param name="key">The bearer token; none where null.</param>
    public Task<Answer> DeleteAsync(string path, string? key = null) => SendAsync(HttpMethod.Delete, path, key);

    /// <summary>Sends a request.</summary>
    /// <param name="method">How.</param>
    /// <param name="path">Where.</param>
    /// <param name="key">The bearer token; none where null.</param>
    /// <param name="body">A text or bytes go as they are; content goes with its own headers; any other object goes as JSON with its members' names.</param>
    public async Task<Answer> SendAsync(HttpMethod method, string path, string? key = null, object? body = null)
    {
        using var request = new HttpRequestMessage(method, path)
        {
            Content = body switch
            {
                null => null,
                HttpContent content => content,
                string text => JsonContent(Encoding.UTF8.GetBytes(text)),
                byte[] bytes => JsonContent(bytes),
                _ => JsonContent(JsonSerializer.SerializeToUtf8Bytes(body)),
            },
        };
        if (key is not null)
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + key);
        return await SendAsync(request);
    }

    /// <summary>Asks whether the server is ready until it gives a reason why not.</summary>
    /// <param name="reason">The reason; on a busy machine it may first be another, such as that the database does not answer.</param>
    /// <returns>The answer with that reason.</returns>
    public async Task<Answer> NotReadyAsync(string reason)
    {
        var answer = await GetAsync("/health/ready");
        await Eventually.IsSoAsync(
            async () => IsIt() || ((answer = await GetAsync("/health/ready")) is not null && IsIt()),
            () => $"Asked for \"{reason}\", told: {answer}"
        );
        return answer;

        bool IsIt() => answer.Status == 503 && answer.Text("reason") == reason;
    }

    /// <summary>Sends a request made by hand.</summary>
    public async Task<Answer> SendAsync(HttpRequestMessage request)
    {
        ArgumentNullException.ThrowIfNull(request);
        using var response = await http.SendAsync(request);
        var headers = response
            .Headers.Concat(response.Content.Headers)
            .ToDictionary(header => header.Key, header => string.Join(',', header.Value), StringComparer.OrdinalIgnoreCase);
        return new($"{request.Method} {request.RequestUri}", (int)response.StatusCode, await response.Content.ReadAsStringAsync(), headers);
    }

    private static ByteArrayContent JsonContent(byte[] bytes) =>
        new(bytes) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
}
