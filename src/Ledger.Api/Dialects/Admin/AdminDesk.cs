using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;

namespace Ledger.Api.Dialects.Admin;

/// <summary>What every part of the operator's API does with an account: find it, and send it commands.</summary>
internal sealed class AdminDesk(IServiceProvider services)
{
    private readonly LedgerService _ledger = services.GetRequiredService<LedgerService>();
    private readonly TimeProvider _time = services.GetRequiredService<TimeProvider>();
    private readonly Regions _regions = services.GetRequiredService<Regions>();

    /// <summary>The operator, from where they ask.</summary>
    public Caller CallerOf(HttpContext context) => new("operator", context.TraceIdentifier, _regions.AddressOf(context));

    /// <summary>The account as it is now, with what is due lapsed; answered 404 where there is none.</summary>
    public async Task<Account?> FindAsync(HttpContext context, string id)
    {
        if (await AccountOfAsync(context, id) is not { } known)
            return null;
        var account = (await _ledger.ReadAsync(known)).Account;
        if (account.Status != AccountStatus.Missing)
            return account.LapsedAt(LedgerTime.Later(_time, account.LastAt));
        await ApiErrors.SendAsync(context, AdminErrors.NoAccount);
        return null;
    }

    /// <summary>A text that can be an account's id; others name no account, and never reach the database.</summary>
    public static async Task<AccountId?> AccountOfAsync(HttpContext context, string id)
    {
        if (Identifiers.IsLawful(id))
            return new(id);
        await ApiErrors.SendAsync(context, AdminErrors.NoAccount);
        return null;
    }

    /// <summary>What a command came to; where it was refused, that is answered, and nothing comes back.</summary>
    public async Task<Verdict?> ExecuteAsync(HttpContext context, AccountCommand command)
    {
        var verdict = await _ledger.ExecuteAsync(command, CallerOf(context));
        if (verdict.Refusal is not { } refusal)
            return verdict;
        await ApiErrors.SendAsync(context, AdminErrors.Of(refusal.Code));
        return null;
    }
}
