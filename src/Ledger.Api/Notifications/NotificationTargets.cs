using System.Security.Cryptography;
using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Projections.Notifications;
using Microsoft.AspNetCore.DataProtection;

namespace Ledger.Api.Notifications;

/// <summary>Where an account wants to be told what happens to it.</summary>
/// <param name="Url">The address that webhooks go to; null for none.</param>
/// <param name="ByMail">Whether its holder gets mail.</param>
/// <param name="UpdatedAt">When that was said last; null where it never was.</param>
public sealed record NotificationTarget(string? Url, bool ByMail, DateTimeOffset? UpdatedAt);

/// <summary>Where accounts want to be told what happens to them, and the secrets that prove that it is we who tell.</summary>
public sealed class NotificationTargets(
    NotificationTargetRows rows,
    Deliveries deliveries,
    Wakeup wakeup,
    IDataProtectionProvider protection,
    TimeProvider time
)
{
    /// <summary>The most characters of an address.</summary>
    public const int MaxUrl = 2000;

    private static readonly NotificationTarget Nowhere = new(null, false, null);
    private readonly IDataProtector _protector = protection.CreateProtector("Ledger.Notifications.Secret");

    /// <summary>What is wrong with an address, as the end of a sentence that begins with its name; null where nothing is.</summary>
    /// <remarks>Whether it is at a public address is only known when something is sent there.</remarks>
    public static string? FaultOf(string url)
    {
        ArgumentNullException.ThrowIfNull(url);
        return url.Length > MaxUrl ? "must have at most 2,000 characters"
            // Uri would cut off blanks and let others pass.
            : url.Any(c => char.IsWhiteSpace(c) || char.IsControl(c) || char.IsSurrogate(c))
                ? "must not contain blanks or control characters"
            : !Uri.TryCreate(url, UriKind.Absolute, out var uri)
            || (uri.Scheme != Uri.UriSchemeHttps && uri.Scheme != Uri.UriSchemeHttp)
            || uri.Host.Length == 0
                ? "must be an absolute https or http address"
            : uri.UserInfo.Length > 0 || AuthorityOf(url).Contains('@') ? "must not contain a user or a password"
            : url.Contains('#', StringComparison.Ordinal) ? "must not have a fragment"
            : null;
    }

    // As it was written: Uri forgets a user without a name.
    private static ReadOnlySpan<char> AuthorityOf(string url)
    {
        var rest = url.AsSpan(url.IndexOf(':', StringComparison.Ordinal) + 1).TrimStart("/\\");
        return rest.IndexOfAny("/\\?") is >= 0 and var end ? rest[..end] : rest;
    }

    /// <summary>Where an account wants to be told.</summary>
    public async Task<NotificationTarget> GetAsync(AccountId account, CancellationToken ct = default) =>
        await rows.FindAsync(account, ct) is { } row ? new(row.Url, row.ByMail, row.UpdatedAt) : Nowhere;

    /// <summary>Says where an account wants to be told, from the next event on.</summary>
    /// <param name="account">The account.</param>
    /// <param name="url">The address that webhooks go to; null for none.</param>
    /// <param name="byMail">Whether its holder gets mail.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>The new signing secret, shown only now, where the address is another than before; else null.</returns>
    /// <exception cref="ArgumentException">The address cannot be used; <see cref="FaultOf"/> says why.</exception>
    public async Task<string?> SetAsync(AccountId account, string? url, bool byMail, CancellationToken ct = default)
    {
        if (url is not null && FaultOf(url) is { } fault)
            throw new ArgumentException($"The address {fault}.", nameof(url));
        if (url is null && !byMail)
        {
            await rows.DeleteAsync(account, ct);
            return null;
        }

        var (secret, now) = (url is null ? null : WebhookSignature.NewSecret(), LedgerTime.Now(time));
        var row = new NotificationTargetRow(account, url, secret is null ? null : _protector.Protect(secret), byMail, now);
        if (!await rows.SaveAsync(row, ct) || url is null)
            return null;

        // What waits for a broken address to be tried again need not wait for a new one.
        await deliveries.HurryAsync(account, now, ct);
        wakeup.Ring();
        return secret;
    }

    /// <summary>Where webhooks of an account go and what signs them; null where they go nowhere.</summary>
    /// <exception cref="CryptographicException">The secret cannot be read: the keys that protect it are gone.</exception>
    internal async Task<(Uri Url, string Secret)?> FindWebhookAsync(AccountId account, CancellationToken ct) =>
        await rows.FindAsync(account, ct) is { Url: { } url, Secret: { } secret } ? (new Uri(url), _protector.Unprotect(secret)) : null;
}
