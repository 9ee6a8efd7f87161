using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
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
using Ledger.Projections.Keys;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Mvc;

namespace Ledger.Api.Dialects.Admin;

/// <summary>The operator's API: accounts, what they get, their keys, and the rate card.</summary>
public sealed class AdminApi
{
    private readonly LedgerService _ledger;
    private readonly RateCards _cards;
    private readonly People _people;
    private readonly KeyQueries _keys;
    private readonly TimeProvider _time;
    private readonly string _keyPrefix;

    private AdminApi(IServiceProvider services)
    {
        _ledger = services.GetRequiredService<LedgerService>();
        _cards = services.GetRequiredService<RateCards>();
        _people = services.GetRequiredService<People>();
        _keys = services.GetRequiredService<KeyQueries>();
        _time = services.GetRequiredService<TimeProvider>();
        _keyPrefix = KeyPrefix.Of(services.GetRequiredService<IConfiguration>());
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
        var mine = new Person(Identifiers.NewAccount(), request.Email, LedgerTime.Now(_time));
        var hash = request.Password is null ? null : new PasswordHasher<Person>().HashPassword(mine, request.Password);
        var person = await _people.AddAsync(mine, hash, context.RequestAborted);
        if (person.Account != mine.Account)
        {
            // Somebody's already, unless a crash came between the person and the account: then this request finishes what that one began.
            if ((await _ledger.ReadAsync(person.Account)).Account.Status != AccountStatus.Missing)
            {
                await AdminErrors.SendAsync(context, AdminErrors.EmailTaken);
                return;
            }

            await _people.SetPasswordAsync(person.Account, hash, mine.CreatedAt, context.RequestAborted);
        }

        // Of two who ask at once for one address, the account is theirs who opens it.
        var verdict = await _ledger.ExecuteAsync(new OpenAccount(person.Account, request.Country), CallerOf(context));
        if (verdict.IsRepeat || verdict.Refusal is not null)
            await AdminErrors.SendAsync(context, AdminErrors.EmailTaken);
        else
            await SendAsync(context, 201, new AccountCreated(person.Account.Value), AdminJson.Default.AccountCreated);
    }

    private async Task ListAccountsAsync(HttpContext context, string? query, string? limit, string? cursor)
    {
        var faults = new JsonFaults();
        if (query?.Length > 254 || query?.Contains('\0', StringComparison.Ordinal) == true)
            faults.Add("query", "must be a text of at most 254 characters, without NUL");
        if (cursor is not null && !Identifiers.IsLawful(cursor))
            faults.Add("cursor", "must be the next of the page before");
        if (await PageSizeAsync(context, limit, faults) is not { } size)
            return;

        var found = await _people.SearchAsync(query ?? "", cursor ?? "", size + 1, context.RequestAborted);
        var page = found
            .Take(size)
            .Select(line => new AccountLine(line.Account.Value, line.Email, line.Status, line.Country, line.OpenedAt))
            .ToList();
        await SendAsync(context, 200, new(page, found.Count > size ? page[^1].AccountId : null), AdminJson.Default.AccountList);
    }

    private async Task ShowAccountAsync(HttpContext context, string id)
    {
        if (await FindAsync(context, id) is not { } account)
            return;
        var now = LedgerTime.Later(_time, account.LastAt);
        var person = await _people.FindAsync(account.Id, context.RequestAborted);
        await SendAsync(
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
                await ViewAsync(account, KeysOf(account), context.RequestAborted)
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
        if (await AccountOfAsync(context, id) is not { } account)
            return;
        if (await ReadAsync(context, static (body, _) => AdminTranslation.ToReason(body)) is not { } reason)
            return;
        if (await ExecuteAsync(context, command(account, EventIds.Request(account, context.TraceIdentifier), reason)) is null)
            return;
        await SendAsync(context, 200, new(account.Value, AdminTranslation.StatusName(status)), AdminJson.Default.StatusView);
    }

    private async Task GrantAsync(HttpContext context, string id)
    {
        if (await AccountOfAsync(context, id) is not { } account)
            return;
        if (await ReadAsync(context, (body, faults) => AdminTranslation.ToGrant(account, body, faults)) is not { } command)
            return;
        if (await ExecuteAsync(context, command) is not { } verdict)
            return;
        var granted = (CreditsGranted)verdict.Answer!.Value.Event;
        await SendAsync(
            context,
            StatusOf(context, verdict),
            AdminTranslation.ToView(granted, await BalanceAsync(account, granted.Amount.Unit)),
            AdminJson.Default.GrantView
        );
    }

    private async Task ReverseAsync(HttpContext context, string id)
    {
        if (await AccountOfAsync(context, id) is not { } account)
            return;
        if (await ReadAsync(context, (body, faults) => AdminTranslation.ToReversal(account, body, faults)) is not { } command)
            return;
        if (await ExecuteAsync(context, command) is not { } verdict)
            return;
        var reversed = (SpendReversed)verdict.Answer!.Value.Event;
        await SendAsync(
            context,
            StatusOf(context, verdict),
            AdminTranslation.ToView(reversed, await BalanceAsync(account, reversed.Amount.Unit)),
            AdminJson.Default.ReversalView
        );
    }

    private async Task CreateKeyAsync(HttpContext context, string id)
    {
        if (await AccountOfAsync(context, id) is not { } account)
            return;
        var secret = KeySecret.Create(_keyPrefix);
        var command = await ReadAsync(
            context,
            (body, faults) => AdminTranslation.ToCreateKey(account, Identifiers.NewKey(), secret, body, faults)
        );
        if (command is null || await ExecuteAsync(context, command) is not { } verdict)
            return;
        var fact = verdict.Answer!.Value;
        var key = KeyRing.Evolve(KeyRing.Empty, (KeyCreated)fact.Event, fact.At).Find(command.Key)!;
        await SendAsync(context, 201, AdminTranslation.ToView(key, default, fact.At, secret.Text), AdminJson.Default.KeyView);
    }

    private async Task ListKeysAsync(HttpContext context, string id, string? limit, string? cursor)
    {
        if (await PageSizeAsync(context, limit, new()) is not { } size)
            return;
        if (await FindAsync(context, id) is not { } account)
            return;
        if (AdminTranslation.Page(KeysOf(account), key => key.Id.Value, cursor, size) is not var (page, next))
        {
            var faults = new JsonFaults();
            faults.Add("cursor", "must be the next of the page before");
            await AdminErrors.SendAsync(context, faults);
            return;
        }

        await SendAsync(context, 200, new(await ViewAsync(account, page, context.RequestAborted), next), AdminJson.Default.KeyList);
    }

    private async Task ShowKeyAsync(HttpContext context, string id, [FromRoute(Name = "key_id")] string keyId)
    {
        if (await FindAsync(context, id) is not { } account)
            return;
        if (account.Keys.Find(new(keyId)) is not { } key)
            await AdminErrors.SendAsync(context, AdminErrors.NoKey);
        else
            await SendAsync(context, 200, (await ViewAsync(account, [key], context.RequestAborted))[0], AdminJson.Default.KeyView);
    }

    private async Task RevokeKeyAsync(HttpContext context, string id, [FromRoute(Name = "key_id")] string keyId)
    {
        if (await AccountOfAsync(context, id) is not { } account)
            return;
        if (!Identifiers.IsLawful(keyId))
            await AdminErrors.SendAsync(context, AdminErrors.NoKey);
        else if (await ExecuteAsync(context, new RevokeKey(account, new(keyId), null)) is not null)
            context.Response.StatusCode = 204;
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
        if (await ReadAsync(context, (body, root, faults) => ToPublish(book, body, root, faults)) is not { } command)
            return;
        var published = await _cards.PublishAsync(command, CallerOf(context), context.RequestAborted);
        if (published.Refusal is { } code)
        {
            await AdminErrors.SendAsync(context, AdminErrors.Of(code));
            return;
        }

        var card = published.Card!;
        await SendAsync(context, published.IsNew ? 201 : 200, ViewOf(card, InForce(_cards.Book)), AdminJson.Default.RateCardVersion);
    }

    private async Task ListRateCardsAsync(HttpContext context)
    {
        var book = await _cards.ReloadAsync(context.RequestAborted);
        var inForce = InForce(book);
        await SendAsync(
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

    private static Caller CallerOf(HttpContext context) => new("operator", context.TraceIdentifier);

    private static int StatusOf(HttpContext context, Verdict verdict)
    {
        if (!verdict.IsRepeat)
            return 201;
        context.Response.Headers["Idempotent-Replayed"] = "true";
        return 200;
    }

    private static List<Key> KeysOf(Account account) =>
        [.. account.Keys.Keys.Values.OrderBy(key => key.CreatedAt).ThenBy(key => key.Id.Value, StringComparer.Ordinal)];

    private async Task<IReadOnlyList<KeyView>> ViewAsync(Account account, IReadOnlyList<Key> keys, CancellationToken ct)
    {
        if (keys.Count == 0)
            return [];
        var now = LedgerTime.Later(_time, account.LastAt);
        var usage = await _keys.UsageAsync(account.Id, DateOnly.FromDateTime(now.UtcDateTime), ct);
        return [.. keys.Select(key => AdminTranslation.ToView(key, usage.GetValueOrDefault(key.Id), now))];
    }

    private async Task<Balance> BalanceAsync(AccountId id, Unit unit)
    {
        var account = (await _ledger.ReadAsync(id)).Account;
        var now = LedgerTime.Later(_time, account.LastAt);
        return AdminTranslation.ToBalance(account.LapsedAt(now), unit, now);
    }

    /// <summary>The account as it is now, with what is due lapsed; answered 404 where there is none.</summary>
    private async Task<Account?> FindAsync(HttpContext context, string id)
    {
        if (await AccountOfAsync(context, id) is not { } known)
            return null;
        var account = (await _ledger.ReadAsync(known)).Account;
        if (account.Status != AccountStatus.Missing)
            return account.LapsedAt(LedgerTime.Later(_time, account.LastAt));
        await AdminErrors.SendAsync(context, AdminErrors.NoAccount);
        return null;
    }

    /// <summary>A text that can be an account's id; others name no account, and never reach the database.</summary>
    private static async Task<AccountId?> AccountOfAsync(HttpContext context, string id)
    {
        if (Identifiers.IsLawful(id))
            return new(id);
        await AdminErrors.SendAsync(context, AdminErrors.NoAccount);
        return null;
    }

    private static async Task<int?> PageSizeAsync(HttpContext context, string? limit, JsonFaults faults)
    {
        var size = 100;
        if (
            limit is not null
            && !(
                int.TryParse(limit, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out size)
                && size is >= 1 and <= 1000
            )
        )
            faults.Add("limit", "must be a whole number from 1 to 1000");
        if (faults.IsEmpty)
            return size;
        await AdminErrors.SendAsync(context, faults);
        return null;
    }

    private async Task<Verdict?> ExecuteAsync(HttpContext context, AccountCommand command)
    {
        var verdict = await _ledger.ExecuteAsync(command, CallerOf(context));
        if (verdict.Refusal is not { } refusal)
            return verdict;
        await AdminErrors.SendAsync(context, AdminErrors.Of(refusal.Code));
        return null;
    }

    private static Task<T?> ReadAsync<T>(HttpContext context, Func<JsonMembers, JsonFaults, T> read)
        where T : class => ReadAsync(context, (body, _, faults) => read(body, faults));

    /// <summary>Reads a body; where something is wrong with it, answers that with every fault, and gives nothing.</summary>
    private static async Task<T?> ReadAsync<T>(HttpContext context, Func<JsonMembers, JsonElement, JsonFaults, T> read)
        where T : class
    {
        var faults = new JsonFaults();
        using var document = await JsonMembers.ParseAsync(context, faults);
        var request = document is null ? null : read(new(document.RootElement, "", faults), document.RootElement, faults);
        if (faults.IsEmpty)
            return request;
        await AdminErrors.SendAsync(context, faults);
        return null;
    }

    private static Task SendAsync<T>(HttpContext context, int status, T answer, JsonTypeInfo<T> type) =>
        JsonAnswer.SendAsync(
            context,
            status,
            (answer, type),
            static (json, state) => JsonSerializer.Serialize(json, state.answer, state.type)
        );
}
