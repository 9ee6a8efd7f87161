using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ledger.Api.Application;
using Ledger.Api.Gateway.Calls;
using Ledger.Api.Gateway.Protocols;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Projections;
using Ledger.Testing;
using Ledger.Upstream;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Gateway.Calls;

/// <summary>A gateway for the tests of a class, on a real port. Its providers are asked once each: who wants retries says so.</summary>
public class SharedGateway : IAsyncLifetime
{
    internal GatewayApp Gateway { get; private set; } = null!;

    internal virtual Dictionary<string, string> Settings => [];

    public async ValueTask InitializeAsync() => Gateway = await StartAsync(settings: Settings);

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Gateway.DisposeAsync();
    }

    internal static Task<GatewayApp> StartAsync(
        string? database = null,
        StandInUpstream? upstream = null,
        FixedClock? clock = null,
        IReadOnlyDictionary<string, string>? settings = null
    )
    {
        var all = new Dictionary<string, string>(settings ?? new Dictionary<string, string>());
        all.TryAdd("Providers:openai:Retries", "0");
        all.TryAdd("Providers:anthropic:Retries", "0");
        return GatewayApp.StartAsync(onKestrel: true, database, upstream, clock, all);
    }
}

/// <summary>What the tests of calls say over and over.</summary>
internal static class Talk
{
    /// <summary>40 bytes: ten tokens where nobody reports them, and four for the message.</summary>
    public const string Question = "What is the shortest way from here to it";

    /// <summary>What <see cref="Question"/> is counted as.</summary>
    public const long Counted = 14;

    /// <summary>Both protocols, streaming or not.</summary>
    public static TheoryData<Protocol, bool> Ways { get; } =
        new()
        {
            { Protocol.OpenAi, false },
            { Protocol.OpenAi, true },
            { Protocol.Anthropic, false },
            { Protocol.Anthropic, true },
        };

    /// <summary>Both protocols.</summary>
    public static TheoryData<Protocol> Protocols { get; } = new(Protocol.OpenAi, Protocol.Anthropic);

    public static string RouteOf(Protocol protocol) => protocol == Protocol.OpenAi ? "/v1/chat/completions" : "/v1/messages";

    /// <summary>The model of the provider that speaks the protocol, at 1 and 2 dollars per million.</summary>
    public static string ModelOf(Protocol protocol) => protocol == Protocol.OpenAi ? GatewayApp.OpenAiModel : GatewayApp.AnthropicModel;

    public static string ProviderOf(Protocol protocol) => protocol == Protocol.OpenAi ? "openai" : "anthropic";

    /// <summary>A request, at most a hundred tokens of answer.</summary>
    public static string BodyOf(
        Protocol protocol,
        bool isStream = false,
        string? model = null,
        long? maxTokens = 100,
        string text = Question,
        Action<JsonObject>? change = null
    )
    {
        var body = new JsonObject { ["model"] = model ?? ModelOf(protocol) };
        if (maxTokens is { } most)
            body["max_tokens"] = most;
        body["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = text });
        if (isStream)
            body["stream"] = true;
        change?.Invoke(body);
        return body.ToJsonString();
    }

    /// <summary>Sends a request, with headers.</summary>
    public static async Task<Answer> SayAsync(
        this LedgerClient client,
        string path,
        string? key,
        string body,
        params (string Name, string Value)[] headers
    )
    {
        using var request = RequestFor(path, key, body, headers);
        return await client.SendAsync(request);
    }

    /// <summary>Sends the usual request of a protocol.</summary>
    public static Task<Answer> AskAsync(this GatewayApp gateway, Protocol protocol, bool isStream, string? key, string? model = null) =>
        gateway.App.SayAsync(RouteOf(protocol), key, BodyOf(protocol, isStream, model));

    /// <summary>Sends the usual request as a stream, and reads it as it comes.</summary>
    public static Task<LiveStream> OpenAsync(this GatewayApp gateway, Protocol protocol, string key, string? body = null) =>
        LiveStream.OpenAsync(gateway.App.Http.BaseAddress!, RouteOf(protocol), key, body ?? BodyOf(protocol, isStream: true));

    public static HttpRequestMessage RequestFor(string path, string? key, string body, params (string Name, string Value)[] headers)
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) { Headers = { ContentType = new("application/json") } };
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
        if (key is not null)
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + key);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    /// <summary>An account with dollars and a key without a bucket.</summary>
    public static async Task<TestAccount> RichAsync(this GatewayApp gateway, long nanos = 1_000_000_000)
    {
        var account = await gateway.App.OpenAccountAsync();
        if (nanos > 0)
            await gateway.App.GrantAsync(account.Id, new(nanos, Unit.Usd), PocketSource.Prepaid);
        return await gateway.KeyAsync(account, key => key);
    }

    /// <summary>The same account with another key, which has no bucket.</summary>
    public static async Task<TestAccount> KeyAsync(this GatewayApp gateway, TestAccount account, Func<CreateKey, CreateKey> change)
    {
        var (id, secret) = await gateway.App.CreateKeyAsync(
            account.Id,
            change: key => change(key with { RateLimit = new(0, default, true) })
        );
        return new(account.Id, id, secret);
    }

    /// <summary>An account with a subscription and nothing else, and a key for it.</summary>
    public static async Task<TestAccount> SubscribedAsync(this GatewayApp gateway, string? tier = "tiny")
    {
        var account = await gateway.App.OpenAccountAsync();
        if (tier is not null)
            (await gateway.App.PutAsync($"/admin/accounts/{account.Id}/subscription", LedgerApp.AdminKey, new { tier })).ShouldBe(200);
        return await gateway.KeyAsync(account, key => key with { Billing = KeyBilling.Subscription });
    }

    /// <summary>What has happened to an account.</summary>
    public static async Task<IReadOnlyList<AccountEvent>> FactsAsync(this LedgerApp app, AccountId account) =>
        [.. (await app.EventsAsync(account)).Select(stored => LedgerEvents.ToFact(stored).Event)];

    /// <summary>The one charge of an account, whose hold has ended with it.</summary>
    public static async Task<HoldSettled> ChargeAsync(this LedgerApp app, TestAccount account)
    {
        var facts = await app.FactsAsync(account.Id);
        var placed = facts.OfType<HoldPlaced>().ShouldHaveSingleItem();
        var settled = facts.OfType<HoldSettled>().ShouldHaveSingleItem(string.Join('\n', facts));
        settled.Card.ShouldBe(placed.Card);
        settled.Reference.ShouldBe(placed.Reference);
        settled.Debt.ShouldBeNull();
        (await app.ReadAsync(account.Id)).Wallet.Holds.ShouldBeEmpty();
        return settled;
    }

    /// <summary>The one charge, to the smallest part, with everything that its metering record says but how long it took.</summary>
    public static async Task<HoldSettled> ShouldBeChargedAsync(
        this GatewayApp gateway,
        TestAccount account,
        long nanos,
        CallRecord record,
        long before = 1_000_000_000
    )
    {
        var settled = await gateway.App.ChargeAsync(account);
        (settled.Call! with { LatencyMs = 0, FirstByteMs = null }).ShouldBe(record with { LatencyMs = 0, FirstByteMs = null });
        settled.Charged.ShouldBe(new(nanos, Unit.Usd));
        settled.Entry.ShouldBe($"models/{record.Provider}/{record.Model}");
        settled.Call.LatencyMs.ShouldBeGreaterThanOrEqualTo(settled.Call.FirstByteMs ?? 0);
        settled.FromHold.Concat(settled.FromAvailable).Sum(share => share.Parts).ShouldBe(nanos);
        (await gateway.DollarsAsync(account)).ShouldBe(before - nanos);
        return settled;
    }

    /// <summary>Nothing charged, nothing held, everything there.</summary>
    public static async Task ShouldBeFreeAsync(this GatewayApp gateway, TestAccount account, long before = 1_000_000_000)
    {
        var facts = await gateway.App.FactsAsync(account.Id);
        facts.ShouldAllBe(fact => !(fact is HoldSettled || fact is HoldSettledLate), string.Join('\n', facts));
        (await gateway.App.ReadAsync(account.Id)).Wallet.Holds.ShouldBeEmpty();
        (await gateway.DollarsAsync(account)).ShouldBe(before);
    }

    /// <summary>Available dollars, in 10⁻⁹.</summary>
    public static async Task<long> DollarsAsync(this GatewayApp gateway, TestAccount account) =>
        (await gateway.App.ReadAsync(account.Id)).LapsedAt(gateway.App.Clock.Now).Wallet.Available(Unit.Usd, gateway.App.Clock.Now).Parts;

    /// <summary>The calls under way.</summary>
    public static LiveCalls Live(this GatewayApp gateway) => gateway.App.Services.GetRequiredService<LiveCalls>();

    /// <summary>Journals what has lapsed.</summary>
    public static Task SweepAsync(this GatewayApp gateway) =>
        gateway.App.Services.GetRequiredService<Sweep>().PassAsync(CancellationToken.None);

    /// <summary>What OpenAI's usage says, byte for byte as the stand-in writes it.</summary>
    public static string OpenAiUsage(long prompt, long completion, long cached = 0, long reasoning = 0) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $$$"""{"prompt_tokens":{{{prompt}}},"completion_tokens":{{{completion}}},"total_tokens":{{{prompt + completion}}},"prompt_tokens_details":{"cached_tokens":{{{cached}}}},"completion_tokens_details":{"reasoning_tokens":{{{reasoning}}}}}"""
        );

    /// <summary>What Anthropic's usage says, byte for byte as the stand-in writes it.</summary>
    public static string AnthropicUsage(long input, long output, long read = 0, long write = 0, long write1h = 0) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $$$"""{"input_tokens":{{{input}}},"cache_creation_input_tokens":{{{write + write1h}}},"cache_read_input_tokens":{{{read}}},"cache_creation":{"ephemeral_5m_input_tokens":{{{write}}},"ephemeral_1h_input_tokens":{{{write1h}}}},"output_tokens":{{{output}}}}"""
        );

    /// <summary>What is kept of what a provider reports of so much input and output.</summary>
    public static string ReportOf(Protocol provider, bool isStream, long input, long output) =>
        provider == Protocol.OpenAi ? OpenAiUsage(input, output) : AnthropicReport(isStream, input, output);

    /// <summary>The same of Anthropic's protocol, which says in a stream's first event what went in and in its last one what came out.</summary>
    public static string AnthropicReport(bool isStream, long input, long output, long read = 0, long write = 0, long write1h = 0) =>
        isStream
            ? $$"""[{{AnthropicUsage(input, 1, read, write, write1h)}},{"output_tokens":{{output}}}]"""
            : AnthropicUsage(input, output, read, write, write1h);

    /// <summary>The text of a whole answer, however it came.</summary>
    public static string TextOf(Protocol protocol, bool isStream, string body)
    {
        if (!isStream)
        {
            var json = JsonElement.Parse(body);
            return protocol == Protocol.OpenAi
                ? json.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!
                : json.GetProperty("content")[0].GetProperty("text").GetString()!;
        }

        var text = new StringBuilder();
        foreach (var data in DataOf(body).Where(data => data.StartsWith('{')))
        {
            var json = JsonElement.Parse(data);
            if (protocol == Protocol.OpenAi)
            {
                if (
                    json.TryGetProperty("choices", out var choices)
                    && choices.GetArrayLength() > 0
                    && choices[0].GetProperty("delta").TryGetProperty("content", out var content)
                )
                    text.Append(content.GetString());
            }
            else if (json.TryGetProperty("delta", out var delta) && delta.TryGetProperty("text", out var piece))
                text.Append(piece.GetString());
        }

        return text.ToString();
    }

    /// <summary>The data of each event of a stream.</summary>
    public static IReadOnlyList<string> DataOf(string body) =>
        [.. body.Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => line["data: ".Length..])];

    /// <summary>Whether a stream came to the end that its protocol knows.</summary>
    public static bool HasEnd(Protocol protocol, string body) =>
        protocol == Protocol.OpenAi
            ? body.EndsWith("data: [DONE]\n\n", StringComparison.Ordinal)
            : body.EndsWith("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", StringComparison.Ordinal);

    /// <summary>Ends with an error in the protocol's own form, and without the end that an answer has.</summary>
    public static void ShouldEndInError(Protocol protocol, string body, string message)
    {
        body.ShouldEndWith(
            protocol == Protocol.OpenAi
                ? $$$"""data: {"error":{"message":"{{{message}}}","type":"api_error","param":null,"code":"upstream_error"}}""" + "\n\n"
                : "event: error\n" + $$$"""data: {"type":"error","error":{"type":"api_error","message":"{{{message}}}"}}""" + "\n\n"
        );
        body.ShouldNotContain("[DONE]");
        body.ShouldNotContain("message_stop");
    }

    /// <summary>A refusal in the protocol's own shape, with nothing of a charge in its headers.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="protocol">The protocol.</param>
    /// <param name="openAi">OpenAI's status and code.</param>
    /// <param name="anthropic">Anthropic's status and type.</param>
    public static Answer ShouldRefuse(
        this Answer answer,
        Protocol protocol,
        (int Status, string Code) openAi,
        (int Status, string Type) anthropic
    )
    {
        var isOpenAi = protocol == Protocol.OpenAi;
        answer.ShouldBe(isOpenAi ? openAi.Status : anthropic.Status);
        var error = answer.Json.GetProperty("error");
        error.GetProperty("message").GetString().ShouldNotBeNullOrWhiteSpace(answer.ToString());
        var members = error.EnumerateObject().Select(member => member.Name).ToList();
        if (isOpenAi)
        {
            answer.Json.EnumerateObject().ShouldHaveSingleItem();
            members.Take(4).ShouldBe(["message", "type", "param", "code"], answer.ToString());
            error.GetProperty("code").GetString().ShouldBe(openAi.Code, answer.ToString());
        }
        else
        {
            answer.Json.EnumerateObject().Select(member => member.Name).ShouldBe(["type", "error", "request_id"], answer.ToString());
            answer.Text("type").ShouldBe("error");
            members.Take(2).ShouldBe(["type", "message"], answer.ToString());
            error.GetProperty("type").GetString().ShouldBe(anthropic.Type, answer.ToString());
            answer.Text("request_id").ShouldBe(answer.Header("x-request-id"), answer.ToString());
            answer.Header("request-id").ShouldBe(answer.Header("x-request-id"), answer.ToString());
        }

        answer.Header("x-request-id").ShouldNotBeNullOrWhiteSpace(answer.ToString());
        answer.Headers.Keys.ShouldNotContain(name => name.StartsWith("x-ledger", StringComparison.OrdinalIgnoreCase), answer.ToString());
        if (answer.Status is 400 or 401 or 403 or 404 or 409 or 413)
            answer.ShouldHave("x-should-retry", "false");
        return answer;
    }
}

/// <summary>A stream that is read as it comes, and left when a test says so.</summary>
internal sealed class LiveStream : IDisposable
{
    private readonly HttpClient _http;
    private readonly HttpResponseMessage _response;
    private readonly StreamReader _reader;
    private readonly StringBuilder _read = new();

    private LiveStream(HttpClient http, HttpResponseMessage response, Stream body) =>
        (_http, _response, _reader) = (http, response, new(body, Encoding.UTF8));

    /// <summary>The status.</summary>
    public int Status => (int)_response.StatusCode;

    /// <summary>What was read so far.</summary>
    public string Read => _read.ToString();

    /// <summary>The hold of the call.</summary>
    public HoldId Hold => new(Guid.Parse(Header("x-ledger-hold")!));

    /// <summary>Sends a request and comes back with the head of the answer.</summary>
    public static async Task<LiveStream> OpenAsync(
        Uri address,
        string path,
        string key,
        string body,
        params (string Name, string Value)[] headers
    )
    {
        var http = Caller(address);
        using var request = Talk.RequestFor(path, key, body, headers);
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return new(http, response, await response.Content.ReadAsStreamAsync());
    }

    /// <summary>A client that hangs up when it leaves: others read on for a while.</summary>
    public static HttpClient Caller(Uri address) =>
        new(new SocketsHttpHandler { ResponseDrainTimeout = TimeSpan.Zero, MaxResponseDrainSize = 0 }) { BaseAddress = address };

    public string? Header(string name) =>
        _response.Headers.TryGetValues(name, out var values) || _response.Content.Headers.TryGetValues(name, out values)
            ? string.Join(',', values)
            : null;

    /// <summary>Reads line by line until one has this text in it.</summary>
    public async Task<string> UntilAsync(string text)
    {
        while (await _reader.ReadLineAsync() is { } line)
        {
            _read.Append(line).Append('\n');
            if (line.Contains(text, StringComparison.Ordinal))
                return Read;
        }

        throw new ShouldAssertException($"The stream ended without {text}:\n{Read}");
    }

    /// <summary>Reads to the end.</summary>
    public async Task<string> ToEndAsync()
    {
        _read.Append(await _reader.ReadToEndAsync());
        return Read;
    }

    /// <summary>Hangs up.</summary>
    public void Dispose()
    {
        _reader.Dispose();
        _response.Dispose();
        _http.Dispose();
    }
}

/// <summary>Watches the requests of an application, from within: when the server itself knows that a caller has left.</summary>
internal sealed class Callers : IObserver<KeyValuePair<string, object?>>, IDisposable
{
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IDisposable _subscription;

    public Callers(GatewayApp gateway) =>
        _subscription = gateway.App.Services.GetRequiredService<System.Diagnostics.DiagnosticListener>().Subscribe(this);

    /// <summary>Comes when the first caller who leaves has left.</summary>
    public Task Gone => _gone.Task;

    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (value is { Key: "Microsoft.AspNetCore.Hosting.HttpRequestIn.Start", Value: Microsoft.AspNetCore.Http.HttpContext context })
            context.RequestAborted.Register(() => _gone.TrySetResult());
    }

    public void OnCompleted() { }

    public void OnError(Exception error) { }

    public void Dispose() => _subscription.Dispose();
}
