using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Decisions;
using Ledger.Api.Gateway.Calls;
using Ledger.Api.Gateway.Presets;
using Ledger.Api.Gateway.Protocols;
using Ledger.Api.Gateway.Providers;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Metering;

namespace Ledger.Api.Gateway;

/// <summary>The inference routes: OpenAI's and Anthropic's protocols, packs, and the routes tuned for coding tools. Every answer is metered and charged.</summary>
public sealed class InferenceApi
{
    private const int MaxName = 255;

    private readonly LedgerService _ledger;
    private readonly Doorkeeper _door;
    private readonly Entrance _entrance;
    private readonly KeyBuckets _buckets;
    private readonly CallDesk _desk;
    private readonly CallRunner _runner;
    private readonly LiveCalls _live;
    private readonly AnswerKeeper _keeper;
    private readonly Upstreams _upstreams;
    private readonly PresetLibrary _presets;
    private readonly GatewayOptions _options;
    private readonly RefusalBook _refusals;
    private readonly TimeProvider _time;

    private InferenceApi(IServiceProvider services)
    {
        _ledger = services.GetRequiredService<LedgerService>();
        _door = services.GetRequiredService<Doorkeeper>();
        _entrance = services.GetRequiredService<Entrance>();
        _buckets = services.GetRequiredService<KeyBuckets>();
        _desk = services.GetRequiredService<CallDesk>();
        _runner = services.GetRequiredService<CallRunner>();
        _live = services.GetRequiredService<LiveCalls>();
        _keeper = services.GetRequiredService<AnswerKeeper>();
        _upstreams = services.GetRequiredService<Upstreams>();
        _presets = services.GetRequiredService<PresetLibrary>();
        _options = services.GetRequiredService<GatewayOptions>();
        _refusals = services.GetRequiredService<RefusalBook>();
        _time = services.GetRequiredService<TimeProvider>();
    }

    /// <summary>How the routes of Anthropic's protocol speak of what no handler answered.</summary>
    public static IReadOnlyList<FaultShape> AnthropicShapes { get; } =
    [AnthropicErrors.ShapeOf("/v1/messages"), .. CallRoute.ToolTuned.Select(route => AnthropicErrors.ShapeOf("/" + route.Name))];

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new InferenceApi(app.Services);
        app.MapPost("/v1/chat/completions", (Delegate)((HttpContext context) => api.RunAsync(context, CallRoute.Chat)))
            .WithTags("Inference")
            .DescribeCall(Protocol.OpenAi, "OpenAI's chat completions; with provider in the body, the pack dialect.");
        Map(app, api, "/v1", CallRoute.Messages, "Anthropic's messages.");
        foreach (var route in CallRoute.ToolTuned)
            Map(app, api, $"/{route.Name}/v1", route, "Anthropic's messages with the preset of the tool.");
    }

    /// <summary>
    /// The workspace's way in, for whoever is signed in: the page's route let them in and checked its token against forgery. What they ask is held, carried and
    /// charged like any call; that no key asked is all that differs, so that no key's limits or bucket count.
    /// </summary>
    internal static Func<HttpContext, Identity, Task> ForWorkspace(IServiceProvider services)
    {
        var api = new InferenceApi(services);
        return (context, identity) => api.RunAsync(context, CallRoute.Workspace, identity);
    }

    private static void Map(WebApplication app, InferenceApi api, string prefix, CallRoute route, string what)
    {
        var group = app.MapGroup(prefix + "/messages").WithTags("Inference");
        group.MapPost("", (Delegate)((HttpContext context) => api.RunAsync(context, route))).DescribeCall(Protocol.Anthropic, what);
        group
            .MapPost("/count_tokens", (Delegate)((HttpContext context) => api.CountAsync(context, route)))
            .DescribeCall(Protocol.Anthropic, "How many input tokens a request would be, about. Charges nothing.");
    }

    private async Task RunAsync(HttpContext context, CallRoute route)
    {
        if (route.Protocol == Protocol.Anthropic)
            context.Response.Headers["request-id"] = context.TraceIdentifier;
        if (await EnterAsync(context, route.Protocol) is { } identity)
            await RunAsync(context, route, identity);
    }

    /// <summary>Within the bound of calls under way: who comes beyond it is told so before anything of theirs is read or held.</summary>
    private async Task RunAsync(HttpContext context, CallRoute route, Identity identity)
    {
        if (!_live.TryEnter())
            throw LedgerUnavailableException.Busy();
        try
        {
            await CarryAsync(context, route, identity);
        }
        finally
        {
            _live.Leave();
        }
    }

    private async Task CarryAsync(HttpContext context, CallRoute route, Identity identity)
    {
        // Before anything is read, where the caller says how long it is: as long as it may be, where not.
        using var room = RoomFor(context);
        var name = NameOf(context, out var misnamed);
        var (request, digest, fault) = await ReadAsync(context, route, room, name);
        if (request?.Provider is not null)
            route = route.Packed;
        if (await PassBucketAsync(context, route, identity) is false)
            return;
        if (request is null || misnamed is not null)
        {
            await CallErrors.SendAsync(context, route.Protocol, (fault ?? misnamed)!);
            return;
        }

        var model = route.Payment == CallPayment.Pack ? PackModel(request) : request.Model;
        if (Unfit(context, request, route, model) is { } unfit)
        {
            // Unless it was answered before: a rate card that has changed since changes nothing of that.
            if (
                name is null
                || await _desk.FindAsync(identity.Account, route, name, digest!, context.TraceIdentifier, context.RequestAborted)
                    is not { } earlier
            )
                await CallErrors.SendAsync(context, route.Protocol, unfit);
            else
                await AnswerAsync(context, route, request, identity.Account, earlier);
            return;
        }

        ForwardedHeaders.DropUnpriced(context.Request.Headers, _options);
        var ask = new CallAsk(
            model,
            route.Payment,
            request.CountedInput + TokenCount.Held(PresetBytes(route)),
            request.MaxTokens,
            request.Choices,
            CacheOf(request.CacheWrites),
            string.Equals(context.Request.Headers["X-Ledger-Clamp"], "allow", StringComparison.OrdinalIgnoreCase),
            digest
        );
        var placement = await _desk.PlaceAsync(identity, route, ask, name, context.TraceIdentifier, context.RequestAborted);
        if (placement.Call is null)
            await AnswerAsync(context, route, request, identity.Account, placement);
        // What was expected did not come to be: another process had changed the account.
        else if (await _runner.RunAsync(context, route, request, room, placement, name is not null && !route.IsInPerson) is { } refused)
            await RefuseAsync(context, route, identity.Account, refused);
    }

    private LiveCalls.BodyRoom RoomFor(HttpContext context) =>
        _live.TryMakeRoom(Math.Min(context.Request.ContentLength ?? RequestBody.Max, RequestBody.Max))
        ?? throw LedgerUnavailableException.Busy();

    /// <summary>Reads a request. Nothing but it keeps the body, so that it can be let go.</summary>
    private static async Task<(CallRequest? Request, string? Digest, CallFault? Fault)> ReadAsync(
        HttpContext context,
        CallRoute route,
        LiveCalls.BodyRoom room,
        string? name
    )
    {
        var body = await BodyAsync(context);
        room.Shrink(body.Length);
        var request = CallRequest.Read(route.Protocol, body, out var fault);
        return (request, request is null || name is null ? null : DigestOf(name, body), fault);
    }

    /// <summary>What is refused before anything is set aside for it; null where there is nothing.</summary>
    private CallFault? Unfit(HttpContext context, CallRequest request, CallRoute route, string model)
    {
        // A rate card has no price for it, so whoever pays for the provider would pay the rest.
        if (request.Unpriced.FirstOrDefault(name => !_options.Allows(name)) is { } unpriced)
            return new($"{unpriced} changes what the provider bills, and has no price here.", unpriced);

        // The document's answer has room for one.
        if (route.Payment == CallPayment.Pack && request is { IsStream: false, Choices: > 1 })
            return new("n may be no more than 1 where a pack pays: the answer holds one choice. Streams may have more.", "n");
        return ForwardedHeaders.Unlawful(context.Request.Headers, route.Protocol) ?? Untranslatable(request, route, model);
    }

    /// <summary>What a request comes to for which no call is made.</summary>
    private Task AnswerAsync(HttpContext context, CallRoute route, CallRequest request, AccountId account, Placement placement) =>
        placement is { Charged: { } hold, Charge: { } charge } ? ReplayAsync(context, route, request, account, hold, charge)
        : placement.IsRunning
            ? CallErrors.SendAsync(
                context,
                route.Protocol,
                new OpenAiError(
                    409,
                    "idempotency_conflict",
                    "The first request of this Idempotency-Key is still running; ask again when it may be done."
                )
            )
        : RefuseAsync(context, route, account, placement);

    /// <summary>A repeat of what was charged: the first answer, as long as it is kept; never a second charge.</summary>
    private async Task ReplayAsync(HttpContext context, CallRoute route, CallRequest request, AccountId account, HoldId hold, Fact charge)
    {
        var kept = request.IsStream ? null : await _keeper.FindAsync(account, hold, charge.At, context.RequestAborted);
        context.Response.Headers["x-ledger-hold"] = hold.ToString();
        context.Response.Headers["x-ledger-spend-id"] = charge.Id.ToString();
        if (kept is null)
        {
            await CallErrors.SendAsync(
                context,
                route.Protocol,
                new OpenAiError(
                    409,
                    "idempotency_conflict",
                    "The request of this Idempotency-Key was answered and charged; its answer is not kept: use another key to ask anew."
                )
            );
            return;
        }

        context.Response.Headers["Idempotent-Replayed"] = "true";
        var (current, _) = await _ledger.ReadAsync(account);
        CallHeaders.SetCharge(context, CallDesk.ChargeOf(charge, current) with { At = LedgerTime.Later(_time, current.LastAt) });
        await CallRunner.SendBodyAsync(context, kept);
    }

    private async Task RefuseAsync(HttpContext context, CallRoute route, AccountId account, Placement placement)
    {
        var code = placement.Refusal!.Value;
        if (placement.Shortfall is { NeverFits: true })
        {
            // No window is large enough, so that there is nothing to wait for.
            context.Response.Headers["x-should-retry"] = "false";
        }
        else if (code == RejectionCode.QuotaExceeded)
        {
            var known = await _ledger.GlimpseAsync(account);
            var now = LedgerTime.Later(_time, known.LastAt);
            CallErrors.SetRetryAfter(context, known.Subscription.QuotaResetsAt(now) - now);
        }

        await CallErrors.SendAsync(context, route.Protocol, code, placement.Shortfall);
    }

    private async Task CountAsync(HttpContext context, CallRoute route)
    {
        context.Response.Headers["request-id"] = context.TraceIdentifier;
        var entry = await _entrance.EnterAsync(context, null, takesApiKey: true);
        if (!entry.IsOpen)
        {
            await CallErrors.SendAsync(context, route.Protocol, entry);
            return;
        }

        using var room = RoomFor(context);
        if (CallRequest.Read(route.Protocol, await BodyAsync(context), out var fault, isCount: true) is not { } request)
        {
            await CallErrors.SendAsync(context, route.Protocol, fault!);
            return;
        }

        if (entry.Card.Models.Resolve(request.Model) is null)
        {
            await CallErrors.SendAsync(context, route.Protocol, RejectionCode.UnknownModel);
            return;
        }

        // The preset is read by the model too.
        var tokens = request.HeuristicInput + TokenCount.Likely(PresetBytes(route));
        await JsonAnswer.SendAsync(
            context,
            200,
            tokens,
            static (json, tokens) =>
            {
                json.WriteStartObject();
                json.WriteNumber("input_tokens", tokens);
                json.WriteEndObject();
            }
        );
    }

    /// <summary>Who calls; null where nobody is let in, which is answered then. What is decided here by what this node knew is decided again with the hold.</summary>
    private async Task<Identity?> EnterAsync(HttpContext context, Protocol protocol)
    {
        var (identity, denial) = await _door.FindAsync(context, takesApiKey: protocol == Protocol.Anthropic);
        if (denial != Denial.None)
        {
            await CallErrors.SendAsync(context, protocol, denial);
            return null;
        }

        // Who signed in reads and manages; the workspace has its own way in.
        if (!identity.By.IsKey)
        {
            await CallErrors.SendAsync(context, protocol, RejectionCode.KeyKindNotAllowed);
            return null;
        }

        // Before anything is said of the body. What this node knew may be old, so a refusal is looked up.
        var account = await _ledger.GlimpseAsync(identity.Account);
        if (account.RefusesWork(identity.By, LedgerTime.Later(_time, account.LastAt)) is null)
            return identity;
        account = (await _ledger.ReadAsync(identity.Account)).Account;
        var now = LedgerTime.Later(_time, account.LastAt);
        if (account.RefusesWork(identity.By, now) is not { } refusal)
            return identity;
        _refusals.Take(account, identity.By, context.TraceIdentifier, refusal, now);
        await CallErrors.SendAsync(context, protocol, refusal);
        return null;
    }

    private async Task<bool> PassBucketAsync(HttpContext context, CallRoute route, Identity identity)
    {
        var account = await _ledger.GlimpseAsync(identity.Account);
        if (account.Keys.Find(identity.By.Key) is not { } key || _buckets.Count(identity.Account, key, route.Standard) is not { } passage)
            return true;
        CallHeaders.SetBucket(context, route.Protocol, passage, _time.GetUtcNow());
        if (passage.MayPass)
            return true;
        _refusals.Take(account, identity.By, context.TraceIdentifier, RefusalBook.RateLimited, LedgerTime.Later(_time, account.LastAt));
        await CallErrors.SendTooManyAsync(context, route.Protocol, passage.RetryAfter);
        return false;
    }

    /// <summary>What cannot be said in the protocol of the provider is refused before anything is set aside for it.</summary>
    private CallFault? Untranslatable(CallRequest request, CallRoute route, string model)
    {
        var models = _ledger.Book.InForce(_time.GetUtcNow())?.Models;
        var entry = route.Payment == CallPayment.Pack ? models?.Find(model) : models?.Resolve(model);
        if (entry is null || _upstreams.Find(entry.Provider)?.SpeaksFor(route.Protocol) is not { } speaks || speaks == route.Protocol)
            return null;
        return UpstreamBody.Write(request, speaks, new(entry.UpstreamModel, entry.MaxOutputTokens, null), out var fault) is null
            ? fault
            : null;
    }

    private long PresetBytes(CallRoute route) => route.Preset is { } tool ? Encoding.UTF8.GetByteCount(_presets.Find(tool)!) : 0;

    /// <summary>The model's own name: the provider may be left out of it or not, and some models' names begin with their provider's.</summary>
    private string PackModel(CallRequest request)
    {
        var full = request.Provider + "/" + request.Model;
        var isNamed = request.Model.StartsWith(request.Provider + "/", StringComparison.Ordinal);
        return isNamed && _ledger.Book.InForce(_time.GetUtcNow())?.Models.Find(full) is null ? request.Model : full;
    }

    private static CacheUse CacheOf(CacheWrites writes) =>
        writes switch
        {
            CacheWrites.None => CacheUse.Reads,
            CacheWrites.FiveMinutes => CacheUse.Writes,
            CacheWrites.OneHour => CacheUse.Writes1h,
        };

    private static string? NameOf(HttpContext context, out CallFault? fault)
    {
        fault = null;
        var header = context.Request.Headers["Idempotency-Key"];
        if (header.Count == 0)
            return null;
        if (header is [{ Length: > 0 and <= MaxName } name] && !name.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            return name;
        fault = new($"Idempotency-Key must be one line of 1 to {MaxName} printable characters.");
        return null;
    }

    // The key is in it so that equal requests of different names cannot be told to be equal from the log.
    private static string DigestOf(string name, ReadOnlyMemory<byte> body)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(name + "\n"));
        hash.AppendData(body.Span);
        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }

    private static async Task<byte[]> BodyAsync(HttpContext context)
    {
        var sequence = await RequestBody.ReadAsync(context);
        var body = sequence.ToArray();
        RequestBody.Release(context, sequence);
        return body;
    }
}
