using Ledger.Api.Application;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Projections.Accounts;

namespace Ledger.Api.Access;

/// <summary>Opens accounts for people, whoever asks for it: of several who want one address, one gets it, with their own password.</summary>
public sealed class Registrar(People people, Passwords passwords, LedgerService ledger, TimeProvider time)
{
    /// <summary>Opens an account.</summary>
    /// <param name="email">The person's address.</param>
    /// <param name="password">Their password; null where they get none.</param>
    /// <param name="country">Where they are at home, ISO 3166-1 alpha-2; null where that is not known.</param>
    /// <param name="caller">On whose behalf.</param>
    /// <param name="ct">Gives up.</param>
    /// <returns>The account; null where the address is somebody's already.</returns>
    public async Task<AccountId?> OpenAsync(string email, string? password, string? country, Caller caller, CancellationToken ct)
    {
        // The hash first, whoever has the address: how long it takes tells nothing.
        var mine = new Person(Identifiers.NewAccount(), email, LedgerTime.Now(time));
        var hash = password is null ? null : await passwords.HashAsync(mine, password, ct);
        var person = await people.AddAsync(mine, hash, ct);

        // Somebody's already, unless a crash came between the person and the account: then this request finishes what that one began.
        var isMine = person.Account == mine.Account;
        if (!isMine && (await ledger.ReadAsync(person.Account)).Account.Status != AccountStatus.Missing)
            return null;

        // Of two who ask at once for one address, the account is theirs who opens it; and the password is theirs, nobody else's who came at the same time.
        var verdict = await ledger.ExecuteAsync(new OpenAccount(person.Account, country), caller);
        if (verdict.IsRepeat || verdict.Refusal is not null)
            return null;
        if (!isMine)
            await people.SetPasswordAsync(person.Account, hash, mine.CreatedAt, ct);
        return person.Account;
    }
}
