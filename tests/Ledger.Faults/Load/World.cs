using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Ledger.Domain;
using Ledger.Faults.Machine;
using Ledger.Faults.Plans;

namespace Ledger.Faults.Load;

/// <summary>An account of a run.</summary>
/// <param name="Id">The account.</param>
/// <param name="Keys">Its keys, in the plan's order.</param>
internal sealed record WorldAccount(AccountId Id, IReadOnlyList<(string Id, string Secret)> Keys);

/// <summary>The servers and accounts of a run, and how a planned command is said to them over HTTP.</summary>
internal sealed class World : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5) })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private readonly string _rateCard;

    public World(IReadOnlyList<Node> nodes, string rateCard) => (Nodes, _rateCard) = (nodes, rateCard);

    /// <summary>The servers.</summary>
    public IReadOnlyList<Node> Nodes { get; }

    /// <summary>The accounts, in the plan's order.</summary>
    public IReadOnlyList<WorldAccount> Accounts { get; private set; } = [];

    /// <summary>When the run began, by the machine's clock: what lapses is reckoned from here.</summary>
    public DateTimeOffset Began { get; private set; }

    public void Dispose() => _http.Dispose();

    /// <summary>Makes the accounts of a plan, before anything strikes.</summary>
    public async Task PrepareAsync(Plan plan, CancellationToken ct)
    {
        Accounts = await Task.WhenAll(plan.Accounts.Select((account, i) => MakeAsync(account, i, ct)));
        Began = TimeProvider.System.GetUtcNow();
    }

    /// <summary>Sends a planned command once.</summary>
    /// <param name="step">The command.</param>
    /// <param name="server">To which server.</param>
    /// <param name="timeout">How long to wait.</param>
    /// <param name="ct">The run is called off.</param>
    public async Task<IReadOnlyList<Attempt>> SendAsync(Step step, int server, TimeSpan timeout, CancellationToken ct)
    {
        var sent = TimeProvider.System.GetTimestamp();
        var (status, headers, text) = await SendAsync(RequestOf(step), Nodes[server].Address, timeout, ct);
        var answered = TimeProvider.System.GetTimestamp();
        return [.. Read(step, sent, answered, status, headers, text)];
    }

    /// <summary>What a server says of its readiness.</summary>
    public async Task<(int Status, string Text)> ReadyAsync(Node node, CancellationToken ct)
    {
        var (status, _, text) = await SendAsync((HttpMethod.Get, "/health/ready", null, null), node.Address, TimeSpan.FromSeconds(10), ct);
        return (status, text);
    }

    private async Task<(int Status, HttpResponseHeaders? Headers, string Text)> SendAsync(
        (HttpMethod Method, string Path, string? Key, object? Body) request,
        Uri? address,
        TimeSpan timeout,
        CancellationToken ct
    )
    {
        if (address is null)
            return (0, null, "the server does not run");
        using var message = new HttpRequestMessage(request.Method, new Uri(address, request.Path));
        if (request.Key is not null)
            message.Headers.Authorization = new("Bearer", request.Key);
        if (request.Body is not null)
            message.Content = new ByteArrayContent(request.Body as byte[] ?? JsonSerializer.SerializeToUtf8Bytes(request.Body))
            {
                Headers = { ContentType = new("application/json") },
            };
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(timeout);
        try
        {
            using var answer = await _http.SendAsync(message, patience.Token);
            return ((int)answer.StatusCode, answer.Headers, await answer.Content.ReadAsStringAsync(patience.Token));
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException && !ct.IsCancellationRequested)
        {
            return (0, null, e.Message);
        }
    }

    private (HttpMethod Method, string Path, string? Key, object? Body) RequestOf(Step step)
    {
        var account = Accounts[step.Account];
        var key = account.Keys[step.Key].Secret;
        var hold = EventIds.Use(account.Id, step.Tool, step.Reference);
        var admin = $"/admin/accounts/{account.Id}";
        return step.Verb switch
        {
            Verb.Spend => Post("/api/v1/tools/spend", key, SpendOf(step)),
            Verb.SpendBatch => Post("/api/v1/tools/spend/batch", key, new { items = step.Items!.Select(SpendOf) }),
            Verb.Reserve => Post(
                "/api/v1/tools/reserve",
                key,
                new
                {
                    tool = step.Tool,
                    units = step.Units,
                    reference = step.Reference,
                    ttl_seconds = step.Seconds,
                }
            ),
            Verb.Settle => Post("/api/v1/tools/settle", key, new { hold_id = hold, units = step.Units }),
            Verb.Release => Post("/api/v1/tools/release", key, new { hold_id = hold }),
            Verb.Check => Post("/api/v1/tools/check", key, new { tool = step.Tool, units = step.Units }),
            Verb.Grant => Post(
                admin + "/grants",
                Node.AdminKey,
                new
                {
                    amount = step.Units,
                    unit = "credits",
                    source = step.Seconds == 0 ? "payg" : "bonus",
                    expires_at = step.Seconds == 0 ? null : Time(Began.AddSeconds(step.Seconds)),
                    reason = "load",
                    reference = step.Reference,
                }
            ),
            Verb.Reverse => Post(admin + "/reversals", Node.AdminKey, new { spend_id = hold, reason = "load" }),
            Verb.CreateKey => Post(admin + "/keys", Node.AdminKey, new { name = step.Reference }),
            Verb.RevokeKey => (HttpMethod.Delete, $"{admin}/keys/{account.Keys[step.Key].Id}", Node.AdminKey, null),
            Verb.Suspend => Post(admin + "/suspend", Node.AdminKey, new { reason = step.Reference }),
            Verb.Reinstate => Post(admin + "/reinstate", Node.AdminKey, new { reason = step.Reference }),
            Verb.PublishPrice => (HttpMethod.Put, "/admin/rate-card", Node.AdminKey, RateCard(step.Units)),
            Verb.OpenAccount => Post("/admin/accounts", Node.AdminKey, new { email = step.Reference + "@example.com" }),
        };
    }

    private static (HttpMethod, string, string?, object?) Post(string path, string key, object body) => (HttpMethod.Post, path, key, body);

    private static object SpendOf(Step step) =>
        new
        {
            tool = step.Tool,
            units = step.Units,
            reference = step.Reference,
        };

    private static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    // The price is the number of the publication too: a card with another price is another card.
    private byte[] RateCard(int price) =>
        System.Text.Encoding.UTF8.GetBytes(
            _rateCard.Replace(
                """{ "name": "chat", "per": "turn", "credits": "5" }""",
                $$"""{ "name": "chat", "per": "turn", "credits": "{{price.ToString(CultureInfo.InvariantCulture)}}" }""",
                StringComparison.Ordinal
            )
        );

    private static IEnumerable<Attempt> Read(Step step, long sent, long answered, int status, HttpResponseHeaders? headers, string text)
    {
        if (status is 0 or >= 500)
            return (step.Items ?? [step]).Select(each => new Attempt(each, sent, answered, status, null, Told.Unknown, Text: text));
        var json = text.Length > 0 && text[0] == '{' ? JsonDocument.Parse(text).RootElement : default;
        if (status is 200 or 201 or 204)
            return step.Items is { } items
                ? items.Zip(json.GetProperty("results").EnumerateArray(), (item, result) => ReadItem(item, sent, answered, result))
                : [ReadAccepted(step, sent, answered, status, headers!, json, text)];
        var code =
            json.ValueKind != JsonValueKind.Object ? null
            : json.GetProperty("error") is { ValueKind: JsonValueKind.Object } error ? error.GetProperty("code").GetString()
            : json.GetProperty("error").GetString();
        return (step.Items ?? [step]).Select(each => new Attempt(
            each,
            sent,
            answered,
            status,
            code,
            Told.Refused,
            Balance: Number(json, "balance"),
            Charged: Number(json, "cost_tokens"),
            LimitSource: Member(json, "limit_source"),
            Text: text
        ));
    }

    private static Attempt ReadAccepted(
        Step step,
        long sent,
        long answered,
        int status,
        HttpResponseHeaders headers,
        JsonElement json,
        string text
    ) =>
        new(
            step,
            sent,
            answered,
            status,
            null,
            Told.Accepted,
            headers.Contains("Idempotent-Replayed"),
            step.Verb switch
            {
                Verb.Reserve => Member(json, "hold_id"),
                Verb.CreateKey => Member(json, "id"),
                Verb.OpenAccount => Member(json, "account_id"),
                _ => headers.TryGetValues("x-ledger-spend-id", out var ids) ? ids.Single() : null,
            },
            Number(json, "charged") ?? Number(json, "held") ?? Number(json, "amount"),
            step.Verb == Verb.PublishPrice ? Number(json, "version") : Number(json, "balance_after"),
            Text: text
        );

    private static Attempt ReadItem(Step item, long sent, long answered, JsonElement result)
    {
        var code = Member(result, "error");
        return code is null
            ? new(
                item,
                sent,
                answered,
                200,
                null,
                Told.Accepted,
                result.GetProperty("replayed").GetBoolean(),
                Member(result, "spend_id"),
                Number(result, "charged"),
                Number(result, "balance_after"),
                Text: result.GetRawText()
            )
            : new(
                item,
                sent,
                answered,
                code == "unavailable" ? 503 : 400,
                code,
                code == "unavailable" ? Told.Unknown : Told.Refused,
                Balance: Number(result, "balance"),
                Charged: Number(result, "cost_tokens"),
                LimitSource: Member(result, "limit_source"),
                Text: result.GetRawText()
            );
    }

    private static string? Member(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    private static long? Number(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object
        && json.TryGetProperty(name, out var value)
        && value.ValueKind == JsonValueKind.Number
        && value.TryGetInt64(out var number)
            ? number
            : null;

    private async Task<WorldAccount> MakeAsync(PlannedAccount planned, int place, CancellationToken ct)
    {
        var opened = await MustAsync("/admin/accounts", new { email = $"a{place}@example.com" }, ct);
        var id = new AccountId(opened.GetProperty("account_id").GetString()!);
        var admin = $"/admin/accounts/{id}";
        await MustAsync(admin + "/grants", GrantOf(planned.Credits, null, "funds"), ct);
        if (planned.Lapsing > 0)
        {
            // On a machine that is busy with other things it may have lapsed before it arrives; then a later one is asked for.
            for (var lapses = planned.LapsesIn; ; lapses *= 2)
            {
                var at = Time(TimeProvider.System.GetUtcNow() + lapses);
                var (status, text) = await PostAsync(admin + "/grants", GrantOf(planned.Lapsing, at, "lapsing"), ct);
                if (status == 201)
                    break;
                if (lapses > TimeSpan.FromHours(2))
                    throw new InvalidOperationException($"A grant was answered {status} {text}");
            }
        }

        var keys = new List<(string, string)>();
        foreach (var (limit, reset) in planned.Keys.Zip(planned.Resets))
        {
            var key = await MustAsync(
                admin + "/keys",
                limit is null
                    ? (object)new { name = "made before" }
                    : new
                    {
                        name = "made before",
                        limit,
                        limit_reset = reset,
                    },
                ct
            );
            keys.Add((key.GetProperty("id").GetString()!, key.GetProperty("key").GetString()!));
        }

        return new(id, keys);
    }

    private static object GrantOf(long credits, string? expiresAt, string reference) =>
        new
        {
            amount = credits,
            unit = "credits",
            source = expiresAt is null ? "payg" : "bonus",
            expires_at = expiresAt,
            reason = "before",
            reference,
        };

    private async Task<JsonElement> MustAsync(string path, object body, CancellationToken ct)
    {
        var (status, text) = await PostAsync(path, body, ct);
        return status == 201
            ? JsonDocument.Parse(text).RootElement
            : throw new InvalidOperationException($"{path} was answered {status} {text}");
    }

    private async Task<(int Status, string Text)> PostAsync(string path, object body, CancellationToken ct)
    {
        var (status, _, text) = await SendAsync(
            (HttpMethod.Post, path, Node.AdminKey, body),
            Nodes[0].Address,
            TimeSpan.FromSeconds(30),
            ct
        );
        return (status, text);
    }
}
