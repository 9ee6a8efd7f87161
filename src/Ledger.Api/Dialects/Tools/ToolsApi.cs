using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Decisions;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;

namespace Ledger.Api.Dialects.Tools;

/// <summary>The tools dialect: check what work costs, spend when it was done, or hold and settle.</summary>
public sealed class ToolsApi
{
    private const int MaxItems = 1000;
    private readonly LedgerService _ledger;
    private readonly Doorkeeper _door;
    private readonly RefusalBook _refusals;
    private readonly TimeProvider _time;

    private ToolsApi(LedgerService ledger, Doorkeeper door, RefusalBook refusals, TimeProvider time) =>
        (_ledger, _door, _refusals, _time) = (ledger, door, refusals, time);

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new ToolsApi(
            app.Services.GetRequiredService<LedgerService>(),
            app.Services.GetRequiredService<Doorkeeper>(),
            app.Services.GetRequiredService<RefusalBook>(),
            app.Services.GetRequiredService<TimeProvider>()
        );

        var tools = app.MapGroup("/api/v1/tools").WithTags("Tools");
        tools
            .MapPost("/check", (Delegate)api.CheckAsync)
            .Describe<CheckRequest, CheckResponse>("What work would cost, and whether it would be allowed. Charges nothing.");
        tools
            .MapPost("/spend", (Delegate)api.SpendAsync)
            .Describe<SpendRequest, SpendResponse>("Charges work that was done, once per tool and reference.", 402, 409);
        tools
            .MapPost("/spend/batch", (Delegate)api.SpendBatchAsync)
            .Describe<SpendBatchRequest, SpendBatchResponse>("Up to 1,000 spends, each with its own verdict.");
        tools
            .MapPost("/reserve", (Delegate)api.ReserveAsync)
            .Describe<ReserveRequest, ReserveResponse>("Sets credits aside for work to come, once per tool and reference.", 402, 409);
        tools
            .MapPost("/settle", (Delegate)api.SettleAsync)
            .Describe<SettleRequest, SettleResponse>("Charges a hold at what was really done, and gives the rest back.", 404, 409);
        tools
            .MapPost("/release", (Delegate)api.ReleaseAsync)
            .Describe<ReleaseRequest, ReleaseResponse>("Gives a hold back unused.", 404, 409);
        tools.MapGet("/prices", (Delegate)api.PricesAsync).Describe<PricesResponse>("The live token cost table.");
    }

    private async Task CheckAsync(HttpContext context)
    {
        if (await SignInAsync(context) is not { } owner)
            return;
        if (await ReadAsync(context, ToolsMembers.Tool | ToolsMembers.Units) is not { } body)
            return;

        var (account, card, now) = await CurrentAsync(owner);
        if (account.RefusesWork(owner.By, now) is { } refusal)
        {
            await ToolsErrors.SendAsync(context, ToolsErrors.Of(refusal));
            return;
        }

        var quote = Quote.For(account, owner.By.Key, body.Tool, body.Units, now, card);
        if (quote.Refusal is { } code and not (RejectionCode.InsufficientCredits or RejectionCode.KeyLimitReached))
        {
            await ToolsErrors.SendAsync(context, ToolsErrors.Of(code));
            return;
        }

        var available = account.Wallet.Available(Unit.Credits, now);
        var allowed = quote.Refusal is null;
        await JsonAnswer.SendAsync(
            context,
            200,
            (allowed, quote.Cost, After: allowed ? available - quote.Cost : available),
            static (json, answer) =>
            {
                json.WriteStartObject();
                json.WriteBoolean("ok", true);
                json.WriteBoolean("allowed", answer.allowed);
                json.WriteNumber("cost_tokens", answer.Cost.WholeFloor());
                json.WriteNumber("balance_after", answer.After.WholeFloor());
                json.WriteEndObject();
            }
        );
    }

    private async Task SpendAsync(HttpContext context)
    {
        if (await SignInAsync(context) is not { } owner)
            return;
        if (await ReadAsync(context, SpendRequired, SpendOptional) is not { } body)
            return;
        if (await ExecuteAsync(context, owner, ToSpend(owner, body)) is not { } verdict)
            return;

        var spent = (CreditsSpent)verdict.Answer!.Value.Event;
        Stamp(context, verdict, spent.Charged);
        await JsonAnswer.SendAsync(
            context,
            200,
            (spent.Charged, verdict.Available),
            static (json, answer) =>
            {
                json.WriteStartObject();
                json.WriteBoolean("ok", true);
                json.WriteNumber("charged", answer.Charged.WholeFloor());
                json.WriteNumber("balance_after", answer.Available.WholeFloor());
                json.WriteEndObject();
            }
        );
    }

    private async Task SpendBatchAsync(HttpContext context)
    {
        if (await SignInAsync(context) is not { } owner)
            return;
        var sequence = await RequestBody.ReadAsync(context);
        var (items, faults) = ReadItems(sequence);
        RequestBody.Release(context, sequence);
        if (faults.Count > 0)
        {
            await ToolsErrors.SendAsync(context, faults);
            return;
        }

        // A revoked key, a wrong kind of key or a suspended account is one refusal of the whole, not a thousand.
        var (account, _, now) = await CurrentAsync(owner);
        if (account.RefusesWork(owner.By, now) is { } refusal)
        {
            _refusals.Take(account, owner.By, context.TraceIdentifier, refusal, now);
            await ToolsErrors.SendAsync(context, ToolsErrors.Of(refusal));
            return;
        }

        var caller = CallerOf(context, owner);
        var waiting = new Task<Verdict>?[items.Count];
        var fault = default(LedgerUnavailableException);
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i].Faults.Count > 0)
                continue;
            try
            {
                waiting[i] = _ledger.ExecuteAsync(ToSpend(owner, items[i]), caller);
            }
            catch (LedgerUnavailableException busy)
            {
                fault = busy;
            }
        }

        var verdicts = new Verdict?[items.Count];
        for (var i = 0; i < items.Count; i++)
        {
            try
            {
                if (waiting[i] is { } answer)
                    verdicts[i] = await answer;
            }
            catch (LedgerUnavailableException away)
            {
                fault = away;
            }
        }

        await JsonAnswer.SendAsync(
            context,
            200,
            (items, verdicts, fault),
            static (json, state) =>
            {
                json.WriteStartObject();
                json.WriteBoolean("ok", true);
                json.WriteStartArray("results");
                for (var i = 0; i < state.items.Count; i++)
                    WriteResult(json, state.items[i], state.verdicts[i], state.fault);
                json.WriteEndArray();
                json.WriteEndObject();
            }
        );
    }

    private async Task ReserveAsync(HttpContext context)
    {
        if (await SignInAsync(context) is not { } owner)
            return;
        if (await ReadAsync(context, SpendRequired, ToolsMembers.TtlSeconds) is not { } body)
            return;
        if (
            await ExecuteAsync(
                context,
                owner,
                new PlaceHold(owner.Account, owner.By.Key, body.Tool, body.Units, body.Reference, body.Ttl) { By = owner.By }
            )
            is not { } verdict
        )
            return;

        var fact = verdict.Answer!.Value;
        context.Response.Headers["x-ledger-hold"] = fact.Id.ToString();
        StampBalance(context, verdict);
        await JsonAnswer.SendAsync(
            context,
            200,
            (fact.Id, Hold: (HoldPlaced)fact.Event, verdict.Available),
            static (json, answer) =>
            {
                json.WriteStartObject();
                json.WriteBoolean("ok", true);
                json.WriteString("hold_id", answer.Id);
                json.WriteNumber("held", answer.Hold.Amount.WholeFloor());
                json.WriteNumber("balance_after", answer.Available.WholeFloor());
                json.WriteString("expires_at", WireTime.Format(answer.Hold.ExpiresAt));
                json.WriteEndObject();
            }
        );
    }

    private async Task SettleAsync(HttpContext context)
    {
        if (await SignInAsync(context) is not { } owner)
            return;
        if (await ReadAsync(context, ToolsMembers.HoldId | ToolsMembers.Units) is not { } body)
            return;
        if (
            await ExecuteAsync(context, owner, new SettleHold(owner.Account, owner.By.Key, new(body.HoldId), body.Units) { By = owner.By })
            is not { } verdict
        )
            return;

        var charged = verdict.Answer!.Value.Event switch
        {
            HoldSettled settled => settled.Charged,
            HoldSettledLate late => late.Charged,
            var other => throw new InvalidOperationException($"A settlement was answered by {other.GetType().Name}."),
        };
        Stamp(context, verdict, charged);
        await JsonAnswer.SendAsync(
            context,
            200,
            (body.HoldId, charged, verdict.Available),
            static (json, answer) =>
            {
                json.WriteStartObject();
                json.WriteBoolean("ok", true);
                json.WriteString("hold_id", answer.HoldId);
                json.WriteNumber("charged", answer.charged.WholeFloor());
                json.WriteNumber("balance_after", answer.Available.WholeFloor());
                json.WriteEndObject();
            }
        );
    }

    private async Task ReleaseAsync(HttpContext context)
    {
        if (await SignInAsync(context) is not { } owner)
            return;
        if (await ReadAsync(context, ToolsMembers.HoldId) is not { } body)
            return;
        if (
            await ExecuteAsync(context, owner, new ReleaseHold(owner.Account, owner.By.Key, new(body.HoldId)) { By = owner.By })
            is not { } verdict
        )
            return;

        StampBalance(context, verdict);
        await JsonAnswer.SendAsync(
            context,
            200,
            (body.HoldId, verdict.Available),
            static (json, answer) =>
            {
                json.WriteStartObject();
                json.WriteBoolean("ok", true);
                json.WriteString("hold_id", answer.HoldId);
                json.WriteNumber("balance_after", answer.Available.WholeFloor());
                json.WriteEndObject();
            }
        );
    }

    private async Task PricesAsync(HttpContext context)
    {
        if (await SignInAsync(context) is not { } owner)
            return;
        var (account, card, now) = await CurrentAsync(owner);
        if (account.RefusesWork(owner.By, now) is { } refusal)
        {
            await ToolsErrors.SendAsync(context, ToolsErrors.Of(refusal));
            return;
        }

        await JsonAnswer.SendAsync(
            context,
            200,
            card,
            static (json, card) =>
            {
                json.WriteStartObject();
                json.WriteBoolean("ok", true);
                json.WriteNumber("version", card.Version);
                json.WriteString("effective_at", WireTime.Format(card.EffectiveAt));
                json.WriteStartArray("prices");
                foreach (var tool in card.Tools)
                {
                    // A name can be both a tool and a service; only the entry that prices it is shown.
                    if (card.FindTool(tool.Name) != tool)
                        continue;
                    json.WriteStartObject();
                    json.WriteString("tool", tool.Name);
                    json.WriteString("per", tool.Per);
                    json.WritePropertyName("cost_tokens");
                    json.WriteRawValue(tool.Credits.ToString());
                    json.WriteEndObject();
                }

                json.WriteEndArray();
                json.WriteEndObject();
            }
        );
    }

    private const ToolsMembers SpendRequired = ToolsMembers.Tool | ToolsMembers.Units | ToolsMembers.Reference;
    private const ToolsMembers SpendOptional = ToolsMembers.Metadata | ToolsMembers.AudioDuration;

    private static Spend ToSpend(Identity owner, ToolsBody body) =>
        new(
            owner.Account,
            owner.By.Key,
            body.Tool,
            body.Units,
            body.Reference,
            body.Metadata,
            body.Metadata is null ? null : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(body.Metadata))),
            body.AudioDuration
        )
        {
            By = owner.By,
        };

    private static Caller CallerOf(HttpContext context, Identity owner) => new(owner.Actor, context.TraceIdentifier);

    private async ValueTask<Identity?> SignInAsync(HttpContext context)
    {
        var (identity, denial) = await _door.FindAsync(context);
        if (denial == Denial.None)
            return identity;
        await ToolsErrors.SendAsync(context, ToolsErrors.Of(denial));
        return null;
    }

    private static async ValueTask<ToolsBody?> ReadAsync(
        HttpContext context,
        ToolsMembers required,
        ToolsMembers optional = ToolsMembers.None
    )
    {
        var sequence = await RequestBody.ReadAsync(context);
        var body = ToolsBody.Read(sequence, required, optional);
        RequestBody.Release(context, sequence);
        if (body.Faults.Count == 0)
            return body;
        await ToolsErrors.SendAsync(context, body.Faults);
        return null;
    }

    private async Task<(Account Account, Domain.RateCards.RateCard Card, DateTimeOffset Now)> CurrentAsync(Identity owner)
    {
        var (account, book) = await _ledger.ReadAsync(owner.Account);
        var now = LedgerTime.Later(_time, account.LastAt);
        var card = book.InForce(now) ?? throw new LedgerUnavailableException("No rate card is in force yet.", TimeSpan.FromSeconds(1));
        return (account.LapsedAt(now), card, now);
    }

    private async ValueTask<Verdict?> ExecuteAsync(HttpContext context, Identity owner, AccountCommand command)
    {
        var verdict = await _ledger.ExecuteAsync(command, CallerOf(context, owner));
        if (verdict.Refusal is not { } refusal)
            return verdict;
        await ToolsErrors.SendAsync(context, ToolsErrors.Of(refusal.Code), refusal.Shortfall);
        return null;
    }

    private static void Stamp(HttpContext context, Verdict verdict, Amount charged)
    {
        var headers = context.Response.Headers;
        headers["x-ledger-spend-id"] = verdict.Answer!.Value.Id.ToString();
        headers["x-ledger-cost"] = charged.ToDecimalString();
        StampBalance(context, verdict);
    }

    private static void StampBalance(HttpContext context, Verdict verdict)
    {
        var headers = context.Response.Headers;
        headers["x-ledger-balance"] = verdict.Available.ToDecimalString();
        headers["x-ledger-unit"] = "credits";
        if (verdict.IsRepeat)
            headers["Idempotent-Replayed"] = "true";
    }

    private static (List<ToolsBody> Items, IReadOnlyList<FieldFault> Faults) ReadItems(in ReadOnlySequence<byte> body)
    {
        var items = new List<ToolsBody>();
        var json = body.IsSingleSegment ? body.FirstSpan : body.ToArray();
        try
        {
            var reader = new Utf8JsonReader(json);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return (items, [new("", "The body must be a JSON object.")]);
            var seen = false;
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                if (seen || !ToolsBody.IsNamed(ref reader, "items"u8))
                    return (items, [new("", "The body must have one member, items.")]);
                seen = true;
                if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray)
                    return (items, [new("items", "must be an array")]);
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    if (items.Count == MaxItems)
                        return (items, [new("items", "must be at most 1000")]);
                    items.Add(ToolsBody.ReadItem(json, ref reader, SpendRequired, SpendOptional));
                }
            }

            if (reader.Read())
                return (items, [new("", "The body must be one JSON object and nothing more.")]);
        }
        catch (JsonException)
        {
            return (items, [new("", "The body is not valid JSON.")]);
        }

        return (items, items.Count == 0 ? [new("items", "must hold at least one item")] : []);
    }

    private static void WriteResult(Utf8JsonWriter json, ToolsBody item, Verdict? verdict, LedgerUnavailableException? fault)
    {
        if (verdict is null)
        {
            if (item.Faults.Count > 0)
                ToolsErrors.Write(json, ToolsErrors.Invalid, null, item.Faults);
            else
                ToolsErrors.Write(json, new(503, "unavailable", fault?.Message ?? "The ledger is away; come back in a moment."));
            return;
        }

        if (verdict.Refusal is { } refusal)
        {
            ToolsErrors.Write(json, ToolsErrors.Of(refusal.Code), refusal.Shortfall);
            return;
        }

        var fact = verdict.Answer!.Value;
        json.WriteStartObject();
        json.WriteBoolean("ok", true);
        json.WriteNumber("charged", ((CreditsSpent)fact.Event).Charged.WholeFloor());
        json.WriteNumber("balance_after", verdict.Available.WholeFloor());
        json.WriteString("spend_id", fact.Id);
        json.WriteBoolean("replayed", verdict.IsRepeat);
        json.WriteEndObject();
    }
}
