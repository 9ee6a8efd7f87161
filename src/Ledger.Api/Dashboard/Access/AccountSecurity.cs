using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Domain.Accounts;
using Ledger.Projections.Accounts;

namespace Ledger.Api.Dashboard.Access;

/// <summary>Changes how an account is signed in to.</summary>
public sealed class AccountSecurity(People people, Passwords passwords, LedgerService ledger, SignInDesk desk, TimeProvider time)
{
    /// <summary>Whether an account has a password.</summary>
    public async Task<bool> HasPasswordAsync(CustomerVisit visit)
    {
        ArgumentNullException.ThrowIfNull(visit);
        return await people.FindPasswordAsync(visit.Account.Id, visit.Gone) is not null;
    }

    /// <summary>
    /// Gives the account a new password and ends every sign-in; this browser gets a new one. The sign-ins end before as well as after, so that a crash in between
    /// leaves nobody signed in who knew the old password.
    /// </summary>
    public async Task SetPasswordAsync(CustomerVisit visit, string password, FormPost form)
    {
        ArgumentNullException.ThrowIfNull(visit);
        var person = new Person(visit.Account.Id, visit.Email ?? "", visit.Now);
        var hash = await passwords.HashAsync(person, password, visit.Gone);
        await EndSignInsAsync(visit, form, "before");
        await people.SetPasswordAsync(visit.Account.Id, hash, LedgerTime.Now(time), CancellationToken.None);
        await EndSignInsAsync(visit, form, "after");
        await Sessions.OpenAsync(visit.Context, desk.Of((await ledger.ReadAsync(visit.Account.Id)).Account, Sessions.Lifetime));
    }

    /// <summary>Ends every sign-in, this one too.</summary>
    public async Task SignOutEverywhereAsync(CustomerVisit visit, FormPost form)
    {
        ArgumentNullException.ThrowIfNull(visit);
        ArgumentNullException.ThrowIfNull(form);
        await visit.ExecuteAsync(new EndSignIns(visit.Account.Id, visit.RequestOf(form), "signed_out_everywhere"));
        await Sessions.CloseAsync(visit.Context);
    }

    // Not by the right of the sign-in: it is what ends.
    private Task<Verdict> EndSignInsAsync(CustomerVisit visit, FormPost form, string step) =>
        ledger.ExecuteAsync(
            new EndSignIns(visit.Account.Id, Domain.EventIds.Request(visit.Account.Id, $"form:{form.Id}:{step}"), "password_changed"),
            visit.Caller
        );
}
