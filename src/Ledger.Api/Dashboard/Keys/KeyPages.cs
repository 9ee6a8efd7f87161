using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Dashboard.Keys;

/// <summary>An account's API keys: made, looked at, changed, paused, rotated, revoked.</summary>
internal sealed class KeyPages(KeyDesk desk)
{
    private const int PageSize = 50;

    /// <summary>How often limits start anew, by name in the form.</summary>
    public static readonly IReadOnlyList<(string Value, string Label)> ResetOptions =
    [
        ("none", "Never"),
        ("daily", "Every day"),
        ("weekly", "Every Monday"),
        ("monthly", "On the first of the month"),
    ];

    /// <summary>What a key may do, by name in the form.</summary>
    public static readonly IReadOnlyList<(string Value, string Label)> KindOptions =
    [
        ("inference", "Inference and tools"),
        ("provisioning", "Managing the account"),
    ];

    /// <summary>What pays for a key's calls, by name in the form.</summary>
    public static readonly IReadOnlyList<(string Value, string Label)> BillingOptions =
    [
        ("pay_per_token", "The balance"),
        ("subscription", "The subscription's tokens"),
    ];

    /// <summary>How long a secret works on, in seconds.</summary>
    public static readonly IReadOnlyList<(string Value, string Label)> GraceOptions =
    [
        ("0", "Not at all"),
        ("3600", "1 hour"),
        ("86400", "1 day"),
        ("604800", "7 days"),
        ("2592000", "30 days"),
    ];

    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<CustomerVisit> customers)
    {
        var pages = ActivatorUtilities.CreateInstance<KeyPages>(services);
        customers.Page("/keys", pages.ListAsync);
        customers.Page("/keys/new", visit => Task.FromResult(ShowNew(visit, FormPost.Blank, null, 200)));
        customers.Form("/keys", pages.CreateAsync);
        customers.Page("/keys/{id}", pages.ShowAsync);
        customers.Form("/keys/{id}", pages.ChangeAsync);
        customers.Form("/keys/{id}/pause", (visit, form) => pages.SetDisabledAsync(visit, form, true));
        customers.Form("/keys/{id}/resume", (visit, form) => pages.SetDisabledAsync(visit, form, false));
        customers.Page("/keys/{id}/rotate", visit => pages.ShowAsync<RotatePage>(visit, "Rotate a key"));
        customers.Form("/keys/{id}/rotate", pages.RotateAsync);
        customers.Page("/keys/{id}/revoke", visit => pages.ShowAsync<RevokePage>(visit, "Revoke a key"));
        customers.Form("/keys/{id}/revoke", pages.RevokeAsync);
    }

    /// <summary>A period's name in the form.</summary>
    public static string ResetName(LimitReset reset) => ResetOptions[(int)reset].Value;

    /// <summary>The highest rate limit that an account may give a key by itself, in words.</summary>
    public static string BoundsOf(KeyBilling billing)
    {
        var most = KeyRateLimit.Of(billing);
        return $"{Dashboard.Show.Number(most.Burst)} at once and {Dashboard.Show.Rate(most.RefillPerSecond)} a second";
    }

    private async Task<PageAnswer> ListAsync(CustomerVisit visit)
    {
        var all = KeyDesk.KeysOf(visit.Account, revoked: true).Reverse().ToList();
        var keys = all.Where(key => key.RevokedAt is null).ToList();
        var environments = keys.Select(key => key.Environment)
            .OfType<string>()
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal)
            .ToList();
        var environment = visit.Context.Request.Query["environment"] is [{ } wanted] ? wanted : null;
        var after = visit.Query("after");

        // The key that a page ended with may have been revoked since, or have got another environment: it is still where the next one begins.
        var rest = Shown(after is null ? all : all.SkipWhile(key => key.Id.Value != after).Skip(1));
        var page = rest.Take(PageSize).ToList();
        var filter = environment is null ? "" : "environment=" + Uri.EscapeDataString(environment);
        var notice = visit.Query("done") switch
        {
            "revoked" => "The key is revoked. It never works again.",
            _ => null,
        };
        return PageAnswer.Show<KeyListPage, KeyListModel>(
            "API keys",
            new(
                await LinesAsync(visit, visit.Account, page),
                environments,
                environment,
                Shown(all).Count,
                after is null ? null : "/keys?" + filter,
                rest.Count > PageSize ? $"/keys?{filter}&after={page[^1].Id}" : null,
                notice
            )
        );

        List<Key> Shown(IEnumerable<Key> keys) =>
            [.. keys.Where(key => key.RevokedAt is null && (environment is null || (key.Environment ?? "") == environment))];
    }

    private async Task<PageAnswer> CreateAsync(CustomerVisit visit, FormPost form)
    {
        var name = form.Text("name", 100, isRequired: true);
        var environment = form.Text("environment", 50);
        var kind = form.Choice("kind", ("inference", KeyKind.Inference), ("provisioning", KeyKind.Provisioning));
        var billing = form.Choice("billing", ("pay_per_token", KeyBilling.PayPerToken), ("subscription", KeyBilling.Subscription));
        var (limit, limitUsd, reset, expiresAt) = Limits(form);
        var (models, rate) = (Models(form), Rate(form, null));
        if (!form.IsValid)
            return ShowNew(visit, form, null, 400);

        // The form's id is the key's: sent twice, it is one key, and the second answer cannot know the secret.
        var id = KeyOf(visit.Account.Id, form);
        var secret = desk.NewSecret();
        var verdict = await visit.ExecuteAsync(
            new CreateKey(
                visit.Account.Id,
                id,
                name!,
                kind,
                billing,
                environment,
                secret.Hash.ToString(),
                secret.Prefix,
                secret.LastFour,
                limit,
                limitUsd,
                reset,
                models,
                rate,
                expiresAt
            )
        );
        if (verdict.Refusal is { Code: var code } && code != RejectionCode.ReferenceConflict)
            return Refuse(form, code, billing, null) is { } problem ? ShowNew(visit, form, problem, 409) : ShowNew(visit, form, null, 400);
        return await ShowSecretAsync(visit, id, verdict.Refusal is null ? secret.Text : null, isNew: true);
    }

    private Task<PageAnswer> ShowAsync(CustomerVisit visit) =>
        ShowAsync(
            visit,
            FormPost.Blank,
            null,
            200,
            visit.Query("done") switch
            {
                "changed" => "Saved.",
                "paused" => "The key is paused: whatever uses it is refused until you resume it.",
                "resumed" => "The key works again.",
                _ => null,
            }
        );

    private async Task<PageAnswer> ChangeAsync(CustomerVisit visit, FormPost form)
    {
        if (Find(visit) is not { } key)
            return PageAnswer.NotFound;
        var name = form.Text("name", 100, isRequired: true);
        var environment = form.Text("environment", 50);
        var (limit, limitUsd, reset, expiresAt) = Limits(form);
        var (models, rate) = (Models(form), Rate(form, key));
        if (!form.IsValid)
            return await ShowAsync(visit, form, null, 400, null);

        // The form knows days only: what it shows of a moment is not to become another one by being saved.
        if (
            key.ExpiresAt is { } at
            && expiresAt is { } end
            && DateOnly.FromDateTime(at.UtcDateTime) == DateOnly.FromDateTime(end.UtcDateTime)
        )
            expiresAt = at;
        var change = new KeyChange(
            new(name!),
            new(environment),
            new(limit),
            new(limitUsd),
            new(reset),
            // The form has no models for a key that calls none.
            key.Kind == KeyKind.Provisioning
                ? null
                : new(models),
            new(rate),
            ExpiresAt: expiresAt == key.ExpiresAt ? null : new(expiresAt)
        );
        var verdict = await visit.ExecuteAsync(new ChangeKey(visit.Account.Id, key.Id, visit.RequestOf(form), change));
        if (verdict.Refusal is not { Code: var code })
            return PageAnswer.SeeOther($"/keys/{key.Id}?done=changed");
        return Refuse(form, code, key.Billing, key) is { } problem
            ? await ShowAsync(visit, form, problem, 409, null)
            : await ShowAsync(visit, form, null, 400, null);
    }

    private async Task<PageAnswer> SetDisabledAsync(CustomerVisit visit, FormPost form, bool isDisabled)
    {
        if (Find(visit) is not { } key)
            return PageAnswer.NotFound;
        var change = new KeyChange(Disabled: new(isDisabled));
        var verdict = await visit.ExecuteAsync(new ChangeKey(visit.Account.Id, key.Id, visit.RequestOf(form), change));
        return verdict.Refusal is { Code: var code }
            ? await ShowAsync(visit, FormPost.Blank, Explain(code), 409, null)
            : PageAnswer.SeeOther($"/keys/{key.Id}?done={(isDisabled ? "paused" : "resumed")}");
    }

    private async Task<PageAnswer> RotateAsync(CustomerVisit visit, FormPost form)
    {
        if (Find(visit) is not { } key)
            return PageAnswer.NotFound;
        if (form.Whole("grace", 0, (long)RotateKey.MaxGrace.TotalSeconds, isRequired: true) is not { } grace)
            return await ShowAsync<RotatePage>(visit, "Rotate a key", form, 400);
        var secret = desk.NewSecret();
        var verdict = await visit.ExecuteAsync(
            new RotateKey(
                visit.Account.Id,
                key.Id,
                visit.RequestOf(form),
                secret.Hash.ToString(),
                secret.Prefix,
                secret.LastFour,
                TimeSpan.FromSeconds(grace)
            )
        );
        return verdict.Refusal?.Code switch
        {
            null => await ShowSecretAsync(visit, key.Id, secret.Text, isNew: false),
            RejectionCode.ReferenceConflict => await ShowSecretAsync(visit, key.Id, null, isNew: false),
            { } code => await ShowAsync(visit, FormPost.Blank, Explain(code), 409, null),
        };
    }

    private async Task<PageAnswer> RevokeAsync(CustomerVisit visit, FormPost form)
    {
        if (Find(visit) is not { } key)
            return PageAnswer.NotFound;
        var verdict = await visit.ExecuteAsync(new RevokeKey(visit.Account.Id, key.Id, null));
        return verdict.Refusal is { Code: var code }
            ? await ShowAsync(visit, FormPost.Blank, Explain(code), 409, null)
            : PageAnswer.SeeOther("/keys?done=revoked");
    }

    private static (Amount? Limit, Amount? LimitUsd, LimitReset Reset, DateTimeOffset? ExpiresAt) Limits(FormPost form) =>
        (
            form.Amount("limit", Unit.Credits),
            form.Amount("limit_usd", Unit.Usd),
            form.Choice(
                "limit_reset",
                ("none", LimitReset.None),
                ("daily", LimitReset.Daily),
                ("weekly", LimitReset.Weekly),
                ("monthly", LimitReset.Monthly)
            ),
            form.Day("expires") is { } day ? new DateTimeOffset(day, new TimeOnly(23, 59, 59), TimeSpan.Zero) : null
        );

    /// <summary>The models that it may call, one a line; none for all.</summary>
    private static ImmutableArray<string> Models(FormPost form)
    {
        var models = form.Lines("models", KeyTranslation.MaxModels, KeyTranslation.MaxModel);
        if (models.CountBy(model => model, StringComparer.Ordinal).FirstOrDefault(count => count.Value > 1).Key is { } twice)
            form.Fault("models", $"“{twice}” stands there more than once.");
        return [.. models];
    }

    /// <summary>Its own rate limit; null for that of each route.</summary>
    private static KeyRateLimit? Rate(FormPost form, Key? key)
    {
        const int Most = 1_000_000;
        var (hasBurst, hasRefill) = (form.Value("burst").Trim().Length > 0, form.Value("refill").Trim().Length > 0);
        if (key?.RateLimit is { Unlimited: true } unlimited && form.IsTicked("unlimited"))
        {
            if (hasBurst || hasRefill)
                form.Fault(hasBurst ? "burst" : "refill", "Leave this empty, or take the tick away.");
            return unlimited;
        }

        if (hasBurst != hasRefill)
            form.Fault(hasBurst ? "refill" : "burst", "Fill this in too, or leave both empty.");
        var burst = form.Whole("burst", 1, Most);
        var refill = default(Quantity);
        if (
            form.Text("refill", 40) is { } text
            && !(Quantity.TryParse(text, out refill) && refill.IsPositive && refill.Nanos <= Quantity.Of(Most).Nanos)
        )
            form.Fault("refill", "A number above 0 and up to 1000000, with at most nine decimal places and a point, not a comma.");
        return hasBurst && hasRefill && burst is { } some ? new((int)some, refill, false) : null;
    }

    /// <summary>The key that the path names, if it is this account's and was not revoked.</summary>
    private static Key? Find(CustomerVisit visit) => visit.Account.Keys.FindLive(new(visit.Route("id")));

    private static KeyId KeyOf(AccountId account, FormPost form)
    {
        const string Base32 = "0123456789abcdefghjkmnpqrstvwxyz";
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"key:{account.Value}:{form.Id}"));
        return new(
            string.Create(
                16,
                hash,
                static (id, hash) =>
                {
                    for (var i = 0; i < id.Length; i++)
                        id[i] = Base32[hash[i] & 31];
                }
            )
        );
    }

    private async Task<PageAnswer> ShowAsync(CustomerVisit visit, FormPost form, string? problem, int status, string? notice)
    {
        if (visit.Account.Keys.Find(new(visit.Route("id"))) is not { } key)
            return PageAnswer.NotFound;
        var line = (await LinesAsync(visit, visit.Account, [key]))[0];
        return PageAnswer.Show<KeyPage, KeyModel>(key.Name, new(line, ModelsOf(visit), form, problem, notice), status);
    }

    private Task<PageAnswer> ShowAsync<TView>(CustomerVisit visit, string title)
        where TView : PageView<KeyModel> => ShowAsync<TView>(visit, title, FormPost.Blank, 200);

    private async Task<PageAnswer> ShowAsync<TView>(CustomerVisit visit, string title, FormPost form, int status)
        where TView : PageView<KeyModel> =>
        Find(visit) is { } key
            ? PageAnswer.Show<TView, KeyModel>(
                title,
                new((await LinesAsync(visit, visit.Account, [key]))[0], ModelsOf(visit), form),
                status
            )
            : PageAnswer.NotFound;

    private static PageAnswer ShowNew(CustomerVisit visit, FormPost form, string? problem, int status) =>
        PageAnswer.Show<NewKeyPage, NewKeyModel>("Create a key", new(ModelsOf(visit), form, problem), status);

    private static IReadOnlyList<string> ModelsOf(CustomerVisit visit) =>
        visit.Book.InForce(visit.Now) is { } card
            ? [.. card.Models.Aliases, .. card.Document.Models.Select(ModelDirectory.NameOf).Order(StringComparer.Ordinal)]
            : [];

    private static async Task<PageAnswer> ShowSecretAsync(CustomerVisit visit, KeyId id, string? secret, bool isNew) =>
        PageAnswer.Show<SecretPage, SecretModel>(
            "Copy the secret",
            new((await visit.ReadAsync()).Keys.Find(id)!, secret, isNew, ServerAddress.Of(visit.Context)),
            isNew && secret is not null ? 201 : 200
        );

    private async Task<IReadOnlyList<KeyLine>> LinesAsync(CustomerVisit visit, Account account, IReadOnlyList<Key> keys)
    {
        return
        [
            .. (await desk.ListUseAsync(account, keys, visit.Gone)).Select(use => new KeyLine(
                use.Key,
                use.Month,
                use.Total,
                use.LastUsedAt,
                account.Keys.Accepts(use.Key.Id, use.Key.Secret, visit.Now),
                visit.Now
            )),
        ];
    }

    /// <summary>Says what is refused at the field that is at fault; null then. Where none is, what to say of the whole.</summary>
    private static string? Refuse(FormPost form, RejectionCode code, KeyBilling billing, Key? key)
    {
        if (code == RejectionCode.KeyTooWide)
        {
            // Either figure may be the one that is too high; what the key has already counts as well.
            var most = Math.Max(KeyRateLimit.Of(billing).Burst, key?.EffectiveRateLimit.Burst ?? 0);
            var isBurst = form.Whole("burst", 1, int.MaxValue) > most;
            form.Fault(isBurst ? "burst" : "refill", $"At most {BoundsOf(billing)}; only the operator sets more.");
            return null;
        }

        var field = code switch
        {
            RejectionCode.ExpiryNotInFuture => "expires",
            RejectionCode.AmountOutOfRange => "limit",
            _ => null,
        };
        if (field is null)
            return Explain(code);
        form.Fault(field, Explain(code));
        return null;
    }

    // The account's own refusals, in the words that its API has for them.
    private static string Explain(RejectionCode code) => KeyErrors.Of(code).Message;
}
