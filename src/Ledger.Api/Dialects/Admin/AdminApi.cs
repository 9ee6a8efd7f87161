using System.Text.Json;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Hosting;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Api.Pricing;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;
using Ledger.Projections.Accounts;
using Microsoft.AspNetCore.Mvc;

namespace Ledger.Api.Dialects.Admin;

/// <summary>The operator's API: accounts, what they get, their keys, and the rate card.</summary>
public sealed class AdminApi
{
    private readonly AdminDesk _desk;
    private readonly LedgerService _ledger;
    private readonly RateCards _cards;
    private readonly People _people;
    private readonly KeyDesk _keys;
    private readonly TimeProvider _time;
    private readonly Registrar _registrar;
    private readonly AccessTokens _tokens;
    private readonly Regions _regions;
    private readonly Trail _trail;
    private readonly CardGuard _guard;

    private AdminApi(IServiceProvider services)
    {
        _desk = new(services);
        _ledger = services.GetRequiredService<LedgerService>();
        _cards = services.GetRequiredService<RateCards>();
        _people = services.GetRequiredService<People>();
        _keys = services.GetRequiredService<KeyDesk>();
        _time = services.GetRequiredService<TimeProvider>();
        _registrar = services.GetRequiredService<Registrar>();
        _tokens = services.GetRequiredService<AccessTokens>();
        _regions = services.GetRequiredService<Regions>();
        _trail = services.GetRequiredService<Trail>();
        _guard = services.GetRequiredService<CardGuard>();
    }

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var api = new AdminApi(app.Services);
        var admin = app.MapGroup("/admin").WithTags("Admin").OnlyFor(app.Services.GetRequiredService<OperatorKey>());

        admin
            .MapPost("/accounts", (Delegate)api.CreateAccountAsync)
            .Describe<CreateAccountRequest, AccountCreated>("Opens an account.", 201, 409);
        admin
            .MapGet("/accounts", api.ListAccountsAsync)
            .Describe<AccountList>("Accounts whose id is, or whose address contains, a text; all without one.", 200, 400);
        admin
            .MapGet("/accounts/{id}", api.ShowAccountAsync)
            .Describe<AccountView>("One account with balances, pockets and keys.", 200, 404);
        admin
            .MapPost("/accounts/{id}/suspend", api.SuspendAsync)
            .Describe<ReasonRequest, StatusView>("Suspends: the account may do nothing until reinstated.", 200, 404);
        admin.MapPost("/accounts/{id}/reinstate", api.ReinstateAsync).Describe<ReasonRequest, StatusView>("Ends a suspension.", 200, 404);
        admin
            .MapPost("/accounts/{id}/grants", api.GrantAsync)
            .Describe<GrantRequest, GrantView>("Gives funds, once per reference; 200 on a repeat.", 201, 404, 409);
        admin
            .MapPost("/accounts/{id}/keys", api.CreateKeyAsync)
            .Describe<CreateKeyRequest, KeyView>("Creates a key; its secret is in this answer only.", 201, 404);
        admin.MapGet("/accounts/{id}/keys", api.ListKeysAsync).Describe<KeyList>("The account's keys, oldest first.", 200, 400, 404);
        admin.MapGet("/accounts/{id}/keys/{key_id}", api.ShowKeyAsync).Describe<KeyView>("One key.", 200, 404);
        admin.MapDelete("/accounts/{id}/keys/{key_id}", api.RevokeKeyAsync).Describe("Revokes a key: it never works again.", 204, 404);
        admin
            .MapPatch("/accounts/{id}/keys/{key_id}", api.ChangeKeyAsync)
            .Describe<ChangeKeyRequest, KeyView>("Changes a key; only the members that are there.", 200, 404);
        admin
            .MapPost("/accounts/{id}/keys/{key_id}/rotate", api.RotateKeyAsync)
            .Describe<RotateKeyRequest, KeyView>(
                "Gives a key a new secret, in this answer only; the one before works on for a while.",
                200,
                404
            );
        admin
            .MapPost("/accounts/{id}/sign-outs", api.EndSignInsAsync)
            .DescribeWithoutAnswer<ReasonRequest>("Ends every sign-in of the account's holder; keys work on.", 204, 404);
        admin
            .MapGet("/accounts/{id}/trail", api.ListTrailAsync)
            .Describe<TrailPage>("Who did what to which key or account, when and from where; newest first.", 200, 400, 404);
        admin
            .MapPost("/signing-keys", (Delegate)api.RotateSigningKeyAsync)
            .Describe<SigningKeyView>(
                "Signs access tokens with a new key from now on; those given before stay good until they expire.",
                201
            );
        admin
            .MapPost("/accounts/{id}/reversals", api.ReverseAsync)
            .Describe<ReversalRequest, ReversalView>("Gives a whole spend back, once; 200 on a repeat.", 201, 404);
        admin.MapGet("/rate-card", (Delegate)api.ShowRateCardAsync).Describe<RateCardView>("The rate card in force.", 200);
        admin
            .MapPut("/rate-card", (Delegate)api.PublishRateCardAsync)
            .Describe<RateCardView, RateCardVersion>("Publishes a rate card; 200 where the same one prices then already.", 201);
        admin
            .MapGet("/rate-card/versions", (Delegate)api.ListRateCardsAsync)
            .Describe<RateCardVersionList>("Every published version, newest first.", 200);
    }

    private async Task CreateAccountAsync(HttpContext context)
    {
        var request = await ReadAsync(context, AdminTranslation.ToCreateAccount);
        if (request is null)
            return;
        if (
            await _registrar.OpenAsync(request.Email, request.Password, request.Country, _desk.CallerOf(context), context.RequestAborted) is
            { } account
        )
            await ApiErrors.SendAsync(context, 201, new AccountCreated(account.Value), AdminJson.Default.AccountCreated);
        else
            await ApiErrors.SendAsync(context, AdminErrors.EmailTaken);
    }

    private async Task ListAccountsAsync(HttpContext context, string? query, string? limit, string? cursor)
    {
        var faults = new JsonFaults();
        if (query?.Length > 254 || query?.Contains('\0', StringComparison.Ordinal) == true)
            faults.Add("query", "must be a text of at most 254 characters, without NUL");
        if (cursor is not null && !Identifiers.IsLawful(cursor))
            faults.Add("cursor", "must be the next of the page before");
        if (await ApiErrors.PageSizeAsync(context, limit, faults) is not { } size)
            return;

        var found = await _people.SearchAsync(query ?? "", cursor ?? "", size + 1, context.RequestAborted);
        var page = found
            .Take(size)
            .Select(line => new AccountLine(line.Account.Value, line.Email, line.Status, line.Country, line.OpenedAt))
            .ToList();
        await ApiErrors.SendAsync(context, 200, new(page, found.Count > size ? page[^1].AccountId : null), AdminJson.Default.AccountList);
    }

    private async Task ShowAccountAsync(HttpContext context, string id)
    {
        if (await _desk.FindAsync(context, id) is not { } account)
            return;
        var now = LedgerTime.Later(_time, account.LastAt);
        var person = await _people.FindAsync(account.Id, context.RequestAborted);
        await ApiErrors.SendAsync(
            context,
            200,
            new(
                account.Id.Value,
                person?.Email,
                AdminTranslation.StatusName(account.Status),
                account.Country,
                account.OpenedAt,
                new(AdminTranslation.ToBalance(account, Unit.Credits, now), AdminTranslation.ToBalance(account, Unit.Usd, now)),
                [.. account.Wallet.Open.Select(AdminTranslation.ToView)],
                await _keys.ViewAsync(account, KeyDesk.KeysOf(account, revoked: true), context.RequestAborted)
            ),
            AdminJson.Default.AccountView
        );
    }

    private Task SuspendAsync(HttpContext context, string id) =>
        ChangeStatusAsync(context, id, AccountStatus.Suspended, (account, request, reason) => new SuspendAccount(account, request, reason));

    private Task ReinstateAsync(HttpContext context, string id) =>
        ChangeStatusAsync(context, id, AccountStatus.Open, (account, request, reason) => new ReinstateAccount(account, request, reason));

    private async Task ChangeStatusAsync(
        HttpContext context,
        string id,
        AccountStatus status,
        Func<AccountId, Guid, string, AccountCommand> command
    )
    {
        if (await AdminDesk.AccountOfAsync(context, id) is not { } account)
            return;
        if (await ReadAsync(context, static (body, _) => AdminTranslation.ToReason(body)) is not { } reason)
            return;
        if (await _desk.ExecuteAsync(context, command(account, EventIds.Request(account, context.TraceIdentifier), reason)) is null)
            return;
        await ApiErrors.SendAsync(context, 200, new(account.Value, AdminTranslation.StatusName(status)), AdminJson.Default.StatusView);
    }

    private async Task GrantAsync(HttpContext context, string id)
    {
        if (await AdminDesk.AccountOfAsync(context, id) is not { } account)
            return;
        if (await ReadAsync(context, (body, faults) => AdminTranslation.ToGrant(account, body, faults)) is not { } command)
            return;
        if (await _desk.ExecuteAsync(context, command) is not { } verdict)
            return;
        var granted = (CreditsGranted)verdict.Answer!.Value.Event;
        await ApiErrors.SendAsync(
            context,
            StatusOf(context, verdict),
            AdminTranslation.ToView(granted, await BalanceAsync(account, granted.Amount.Unit)),
            AdminJson.Default.GrantView
        );
    }

    private async Task ReverseAsync(HttpContext context, string id)
    {
        if (await AdminDesk.AccountOfAsync(context, id) is not { } account)
            return;
        if (await ReadAsync(context, (body, faults) => AdminTranslation.ToReversal(account, body, faults)) is not { } command)
            return;
        if (await _desk.ExecuteAsync(context, command) is not { } verdict)
            return;
        var reversed = (SpendReversed)verdict.Answer!.Value.Event;
        await ApiErrors.SendAsync(
            context,
            StatusOf(context, verdict),
            AdminTranslation.ToView(reversed, await BalanceAsync(account, reversed.Amount.Unit)),
            AdminJson.Default.ReversalView
        );
    }

    private async Task CreateKeyAsync(HttpContext context, string id)
    {
        if (await AdminDesk.AccountOfAsync(context, id) is not { } account)
            return;
        var secret = _keys.NewSecret();
        var command = await ReadAsync(
            context,
            (body, faults) => KeyTranslation.ToCreate(account, Identifiers.NewKey(), secret, KeyBilling.PayPerToken, body, faults)
        );
        if (command is not null && await _desk.ExecuteAsync(context, command) is not null)
            await SendKeyAsync(context, 201, account, command.Key, secret);
    }

    private async Task ListKeysAsync(HttpContext context, string id, string? limit, string? cursor)
    {
        if (await ApiErrors.PageSizeAsync(context, limit, new()) is not { } size)
            return;
        if (await _desk.FindAsync(context, id) is not { } account)
            return;
        if (KeyTranslation.Page(account, revoked: true, cursor, size) is not var (page, next))
        {
            var faults = new JsonFaults();
            faults.Add("cursor", "must be the next of the page before");
            await ApiErrors.SendAsync(context, faults);
            return;
        }

        await ApiErrors.SendAsync(
            context,
            200,
            new(await _keys.ViewAsync(account, page, context.RequestAborted), next),
            KeyJson.Default.KeyList
        );
    }

    private async Task ShowKeyAsync(HttpContext context, string id, [FromRoute(Name = "key_id")] string keyId)
    {
        if (await _desk.FindAsync(context, id) is not { } account)
            return;
        if (account.Keys.Find(new(keyId)) is not { } key)
            await ApiErrors.SendAsync(context, AdminErrors.NoKey);
        else
            await ApiErrors.SendAsync(
                context,
                200,
                (await _keys.ViewAsync(account, [key], context.RequestAborted))[0],
                KeyJson.Default.KeyView
            );
    }

    private async Task ChangeKeyAsync(HttpContext context, string id, [FromRoute(Name = "key_id")] string keyId)
    {
        if (await KeyOfAsync(context, id, keyId) is not var (account, key))
            return;
        if (await ReadAsync(context, KeyTranslation.ToChange) is not { } change)
            return;
        if (
            await _desk.ExecuteAsync(context, new ChangeKey(account, key, EventIds.Request(account, context.TraceIdentifier), change))
            is not null
        )
            await SendKeyAsync(context, 200, account, key, null);
    }

    private async Task RotateKeyAsync(HttpContext context, string id, [FromRoute(Name = "key_id")] string keyId)
    {
        if (await KeyOfAsync(context, id, keyId) is not var (account, key))
            return;
        var secret = _keys.NewSecret();
        var command = await ReadAsync(
            context,
            (body, _) =>
                new RotateKey(
                    account,
                    key,
                    EventIds.Request(account, context.TraceIdentifier),
                    secret.Hash.ToString(),
                    secret.Prefix,
                    secret.LastFour,
                    KeyTranslation.ToGrace(body)
                )
        );
        if (command is not null && await _desk.ExecuteAsync(context, command) is not null)
            await SendKeyAsync(context, 200, account, key, secret);
    }

    private async Task RevokeKeyAsync(HttpContext context, string id, [FromRoute(Name = "key_id")] string keyId)
    {
        if (await KeyOfAsync(context, id, keyId) is not var (account, key))
            return;
        if (await _desk.ExecuteAsync(context, new RevokeKey(account, key, null)) is not null)
            context.Response.StatusCode = 204;
    }

    private async Task EndSignInsAsync(HttpContext context, string id)
    {
        if (await AdminDesk.AccountOfAsync(context, id) is not { } account)
            return;
        if (await ReadAsync(context, static (body, _) => AdminTranslation.ToReason(body)) is not { } reason)
            return;
        if (
            await _desk.ExecuteAsync(context, new EndSignIns(account, EventIds.Request(account, context.TraceIdentifier), reason))
            is not null
        )
            context.Response.StatusCode = 204;
    }

    private async Task ListTrailAsync(HttpContext context, string id, string? limit, string? cursor)
    {
        var faults = new JsonFaults();
        var before = TrailView.ReadCursor(cursor, faults);
        if (await ApiErrors.PageSizeAsync(context, limit, faults) is not { } size)
            return;
        if (await _desk.FindAsync(context, id) is not { } account)
            return;
        var entries = await _trail.ReadAsync(account.Id, before, size + 1, context.RequestAborted);
        await ApiErrors.SendAsync(context, 200, TrailView.PageOf(entries, size), TrailJson.Default.TrailPage);
    }

    private async Task RotateSigningKeyAsync(HttpContext context) =>
        await ApiErrors.SendAsync(context, 201, new(await _tokens.RotateAsync(context.RequestAborted)), AdminJson.Default.SigningKeyView);

    private async Task SendKeyAsync(HttpContext context, int status, AccountId id, KeyId keyId, KeySecret? secret)
    {
        var account = (await _ledger.ReadAsync(id)).Account;
        var view = await _keys.ViewAsync(account, [account.Keys.Find(keyId)!], context.RequestAborted, secret?.Text);
        await ApiErrors.SendAsync(context, status, view[0], KeyJson.Default.KeyView);
    }

    /// <summary>Texts that can be an account's and a key's id; others name none, and never reach the database.</summary>
    private static async Task<(AccountId Account, KeyId Key)?> KeyOfAsync(HttpContext context, string id, string keyId)
    {
        if (await AdminDesk.AccountOfAsync(context, id) is not { } account)
            return null;
        if (Identifiers.IsLawful(keyId))
            return (account, new(keyId));
        await ApiErrors.SendAsync(context, AdminErrors.NoKey);
        return null;
    }

    private async Task ShowRateCardAsync(HttpContext context)
    {
        var card = InForce(await _cards.ReloadAsync(context.RequestAborted));
        await JsonAnswer.SendAsync(
            context,
            200,
            card,
            static (json, card) =>
            {
                json.WriteStartObject();
                json.WriteNumber("version", card.Version);
                json.WriteString("effective_at", WireTime.Format(card.EffectiveAt));
                json.WritePropertyName("rate_card");
                json.WriteRawValue(card.Source, skipInputValidation: true);
                json.WriteEndObject();
            }
        );
    }

    private async Task PublishRateCardAsync(HttpContext context)
    {
        var book = await _cards.ReloadAsync(context.RequestAborted);
        var place = "";
        var command = await ApiErrors.ReadAsync(
            context,
            (body, root, faults) =>
            {
                place = body.Has("rate_card") ? "rate_card" : "";
                return ToPublish(book, body, root, faults);
            }
        );
        if (command is null)
            return;
        var faults = new JsonFaults();
        await _guard.CheckAsync(
            JsonSerializer.Deserialize(command.Document, RateCardJson.Default.RateCardDocument)!,
            place,
            LedgerTime.Later(_time, book.LastAt),
            faults,
            context.RequestAborted
        );
        if (!faults.IsEmpty)
        {
            await ApiErrors.SendAsync(context, faults);
            return;
        }

        var published = await _cards.PublishAsync(command, _desk.CallerOf(context), context.RequestAborted);
        if (published.Refusal is { } code)
        {
            await ApiErrors.SendAsync(context, AdminErrors.Of(code));
            return;
        }

        var card = published.Card!;
        await ApiErrors.SendAsync(
            context,
            published.IsNew ? 201 : 200,
            ViewOf(card, InForce(_cards.Book)),
            AdminJson.Default.RateCardVersion
        );
    }

    private async Task ListRateCardsAsync(HttpContext context)
    {
        var book = await _cards.ReloadAsync(context.RequestAborted);
        var inForce = InForce(book);
        await ApiErrors.SendAsync(
            context,
            200,
            new([.. book.Cards.Reverse().Select(card => ViewOf(card, inForce))], null),
            AdminJson.Default.RateCardVersionList
        );
    }

    /// <summary>The bare document; or an object with the document in <c>rate_card</c>, such as the answer that shows the one in force.</summary>
    private static PublishRateCard ToPublish(RateBook book, JsonMembers body, JsonElement root, JsonFaults faults)
    {
        if (!body.Has("rate_card"))
        {
            RateCardSource.Check(root, "", faults);
            return new(root.ValueKind == JsonValueKind.Object ? root.GetRawText() : "", null);
        }

        var card = body.Take("rate_card", required: true);
        var version = body.Whole("version", 1, long.MaxValue);
        var effectiveAt = body.Time("effective_at");
        body.End();
        if (card is { } element)
            RateCardSource.Check(element, "rate_card", faults);

        // An answer sent back says since when that version was in effect; that is no wish for a time in the past.
        if (book.Cards.Any(known => known.Version == version && known.EffectiveAt == effectiveAt))
            effectiveAt = null;
        return new(card?.GetRawText() ?? "", effectiveAt);
    }

    private static RateCardVersion ViewOf(RateCard card, RateCard inForce) =>
        new(card.Version, card.EffectiveAt, card.Version == inForce.Version);

    private RateCard InForce(RateBook book) =>
        book.InForce(LedgerTime.Later(_time, book.LastAt))
        ?? throw new LedgerUnavailableException("No rate card is in force yet.", TimeSpan.FromSeconds(1));

    private static int StatusOf(HttpContext context, Verdict verdict)
    {
        if (!verdict.IsRepeat)
            return 201;
        context.Response.Headers["Idempotent-Replayed"] = "true";
        return 200;
    }

    private async Task<Balance> BalanceAsync(AccountId id, Unit unit)
    {
        var account = (await _ledger.ReadAsync(id)).Account;
        var now = LedgerTime.Later(_time, account.LastAt);
        return AdminTranslation.ToBalance(account.LapsedAt(now), unit, now);
    }

    private static Task<T?> ReadAsync<T>(HttpContext context, Func<JsonMembers, JsonFaults, T> read)
        where T : class => ApiErrors.ReadAsync(context, (body, _, faults) => read(body, faults));
}
