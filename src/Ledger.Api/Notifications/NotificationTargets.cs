using Ledger.Domain;

namespace Ledger.Api.Notifications;

/// <summary>Placeholder.</summary>
public sealed record NotificationTarget(string? Url, bool ByMail);

/// <summary>Placeholder.</summary>
public sealed class NotificationTargets
{
    /// <summary>Placeholder.</summary>
    public static string? FaultOf(string url) => url.Length > 0 ? null : "no";

    /// <summary>Placeholder.</summary>
    public Task<NotificationTarget?> GetAsync(AccountId account, CancellationToken ct) => Task.FromResult<NotificationTarget?>(null);

    /// <summary>Placeholder.</summary>
    public Task<string?> SetAsync(AccountId account, string? url, bool byMail, CancellationToken ct) => Task.FromResult<string?>(null);
}
