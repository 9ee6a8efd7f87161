using System.Text.Json;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Microsoft.AspNetCore.Mvc;

namespace Ledger.Api.Keys;

/// <summary>
/// The key routes of the dialects in which accounts manage themselves. They differ only in who may come, and in whether an answer is wrapped in
/// <c>data</c>.
/// </summary>
internal sealed class KeyEndpoints(
    LedgerService ledger,
    Doorkeeper door,
    RateGates gates,
    Regions regions,
    KeyDesk desk,
    TimeProvider time,
    KeyKind? needed,
    bool isWrapped
)
{
    /// <summary>With the services of an application.</summary>
    /// <param name="services">The services.</param>
    /// <param name="needed">The kind that a key must be of; null for any.</param>
    /// <param name="isWrapped">Whether answers stand in <c>data</c>.</param>
    public static KeyEndpoints Of(IServiceProvider services, KeyKind? needed, bool isWrapped) =>
        new(
            services.GetRequiredService<LedgerService>(),
            services.GetRequiredService<Doorkeeper>(),
            services.GetRequiredService<RateGates>(),
            services.GetRequiredService<Regions>(),
            services.GetRequiredService<KeyDesk>(),
            services.GetRequiredService<TimeProvider>(),
            needed,
            isWrapped
        );

    public async Task ListAsync(HttpContext context, string? limit, string? cursor)
    {
        if (await EnterAsync(context) is not var (account, _))
            return;
        if (await ApiErrors.PageSizeAsync(context, limit, new()) is not { } size)
            return;
        if (KeyTranslation.Page(account, revoked: false, cursor, size) is not var (page, next))
        {
            var faults = new JsonFaults();
            faults.Add("cursor", "must be the next of the page before");
            await ApiErrors.SendAsync(context, faults);
            return;
        }

        await ApiErrors.SendAsync(
            context,
            200,
            new(await desk.ViewAsync(account, page, context.RequestAborted), next),
            KeyJson.Default.KeyList
        );
    }

    public async Task CreateAsync(HttpContext context)
    {
        if (await EnterAsync(context) is not var (account, identity))
            return;

        // Whoever mints with a key passes on what that key is billed by, unless something else is said.
        var standard = account.Keys.Find(identity.By.Key)?.Billing ?? KeyBilling.PayPerToken;
        var secret = desk.NewSecret();
        var command = await ApiErrors.ReadAsync(
            context,
            (body, _, faults) => KeyTranslation.ToCreate(account.Id, Identifiers.NewKey(), secret, standard, body, faults)
        );
        if (command is not null && await ExecuteAsync(context, identity, command))
            await SendAsync(context, 201, account.Id, command.Key, secret);
    }

    public async Task ShowAsync(HttpContext context, [FromRoute(Name = "key_id")] string keyId)
    {
        if (await EnterAsync(context) is not var (account, _))
            return;
        if (account.Keys.FindLive(new(keyId)) is { } key)
            await SendAsync(context, 200, account, key, null);
        else
            await ApiErrors.SendAsync(context, KeyErrors.NoKey);
    }

    public async Task ChangeAsync(HttpContext context, [FromRoute(Name = "key_id")] string keyId)
    {
        if (await EnterAsync(context) is not var (account, identity) || !await IsLawfulAsync(context, keyId))
            return;
        if (await ApiErrors.ReadAsync(context, static (body, _, faults) => KeyTranslation.ToChange(body, faults)) is not { } change)
            return;
        if (await ExecuteAsync(context, identity, new ChangeKey(account.Id, new(keyId), RequestOf(context, account.Id), change)))
            await SendAsync(context, 200, account.Id, new(keyId), null);
    }

    public async Task RotateAsync(HttpContext context, [FromRoute(Name = "key_id")] string keyId)
    {
        if (await EnterAsync(context) is not var (account, identity) || !await IsLawfulAsync(context, keyId))
            return;
        var secret = desk.NewSecret();
        var command = await ApiErrors.ReadAsync(
            context,
            (body, _, _) =>
                new RotateKey(
                    account.Id,
                    new(keyId),
                    RequestOf(context, account.Id),
                    secret.Hash.ToString(),
                    secret.Prefix,
                    secret.LastFour,
                    KeyTranslation.ToGrace(body)
                )
        );
        if (command is not null && await ExecuteAsync(context, identity, command))
            await SendAsync(context, 200, account.Id, command.Key, secret);
    }

    public async Task RevokeAsync(HttpContext context, [FromRoute(Name = "key_id")] string keyId)
    {
        if (await EnterAsync(context) is not var (account, identity) || !await IsLawfulAsync(context, keyId))
            return;

        // Gone is gone: a second time there is nothing to delete, as for every other verb.
        if (account.Keys.FindLive(new(keyId)) is null)
            await ApiErrors.SendAsync(context, KeyErrors.NoKey);
        else if (await ExecuteAsync(context, identity, new RevokeKey(account.Id, new(keyId), null)))
            context.Response.StatusCode = 204;
    }

    /// <summary>Lets somebody in, as the account's own state allows now; where not, that is answered.</summary>
    public async Task<(Account Account, Identity Identity)?> EnterAsync(HttpContext context)
    {
        var (identity, denial) = await door.FindAsync(context);
        if (denial != Denial.None)
        {
            await ApiErrors.SendAsync(context, KeyErrors.Of(denial));
            return null;
        }

        var passage = gates.Count(RateBucket.Management, identity.Account.Value);
        if (!passage.MayPass)
        {
            await ApiErrors.SendAsync(context, passage.RetryAfter);
            return null;
        }

        var account = (await ledger.ReadAsync(identity.Account)).Account;
        var now = LedgerTime.Later(time, account.LastAt);
        var refusal = needed is { } kind ? account.RefusesAccess(identity.By, kind, now) : account.RefusesAccess(identity.By, now);
        if (refusal is not { } code)
            return (account.LapsedAt(now), identity);
        await ApiErrors.SendAsync(context, KeyErrors.Of(code));
        return null;
    }

    private async Task<bool> ExecuteAsync(HttpContext context, Identity identity, AccountCommand command)
    {
        var caller = new Caller(identity.Actor, context.TraceIdentifier, regions.AddressOf(context));
        var verdict = await ledger.ExecuteAsync(command with { By = identity.By }, caller);
        if (verdict.Refusal is not { } refusal)
            return true;
        await ApiErrors.SendAsync(context, KeyErrors.Of(refusal.Code));
        return false;
    }

    private async Task SendAsync(HttpContext context, int status, AccountId id, KeyId keyId, KeySecret? secret)
    {
        var account = (await ledger.ReadAsync(id)).Account;
        await SendAsync(context, status, account, account.Keys.Find(keyId)!, secret);
    }

    private async Task SendAsync(HttpContext context, int status, Account account, Key key, KeySecret? secret)
    {
        var view = (await desk.ViewAsync(account, [key], context.RequestAborted, secret?.Text))[0];
        await JsonAnswer.SendAsync(
            context,
            status,
            (view, isWrapped),
            static (json, answer) =>
            {
                if (answer.isWrapped)
                {
                    json.WriteStartObject();
                    json.WritePropertyName("data");
                }

                JsonSerializer.Serialize(json, answer.view, KeyJson.Default.KeyView);
                if (answer.isWrapped)
                    json.WriteEndObject();
            }
        );
    }

    private static Guid RequestOf(HttpContext context, AccountId account) => EventIds.Request(account, context.TraceIdentifier);

    private static async Task<bool> IsLawfulAsync(HttpContext context, string keyId)
    {
        if (Identifiers.IsLawful(keyId))
            return true;
        await ApiErrors.SendAsync(context, KeyErrors.NoKey);
        return false;
    }
}
