using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Projections.Access;
using Ledger.Projections.Accounts;

namespace Ledger.Api.Access;

/// <summary>What an attempt to sign in came to.</summary>
public abstract record SignInAttempt
{
    private SignInAttempt() { }

    /// <summary>Signed in.</summary>
    public sealed record Done(SignIn SignIn) : SignInAttempt;

    /// <summary>The address, the password or the code is wrong. Which of them, nobody is told.</summary>
    public sealed record Wrong : SignInAttempt;

    /// <summary>Too many attempts.</summary>
    public sealed record TooMany(TimeSpan RetryAfter) : SignInAttempt;

    /// <summary>The account may not be used now.</summary>
    public sealed record Refused(RejectionCode Code) : SignInAttempt;

    /// <summary>The account is at home in a blocked country.</summary>
    public sealed record RegionBlocked : SignInAttempt;
}

/// <summary>
/// Signs people in: by password, or by a one-time code that goes to their address. Neither what is answered nor how long that takes tells whether an
/// address is anybody's. Attempts are limited by the person's address, and failed ones by the machine's besides.
/// </summary>
public sealed class SignInDesk(
    People people,
    Passwords passwords,
    OneTimeCodes codes,
    LedgerService ledger,
    RateGates gates,
    Regions regions,
    Mailer mailer,
    TimeProvider time
)
{
    /// <summary>How long a one-time code is good for.</summary>
    public static readonly TimeSpan CodeLifetime = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan CodeAnswerTime = TimeSpan.FromMilliseconds(100);

    /// <summary>How many digits a one-time code has.</summary>
    public const int CodeLength = 6;

    /// <summary>Signs in by password.</summary>
    /// <param name="email">The person's address.</param>
    /// <param name="password">The password.</param>
    /// <param name="address">The machine's address; null where it is not known.</param>
    /// <param name="lifetime">How long the sign-in shall hold.</param>
    /// <param name="ct">Gives up.</param>
    public Task<SignInAttempt> ByPasswordAsync(string email, string password, string? address, TimeSpan lifetime, CancellationToken ct) =>
        AttemptAsync(email, address, lifetime, () => passwords.FindAsync(email, password, ct));

    /// <summary>Signs in by a one-time code, which is used up by that.</summary>
    /// <param name="email">The person's address.</param>
    /// <param name="code">The code.</param>
    /// <param name="address">The machine's address; null where it is not known.</param>
    /// <param name="lifetime">How long the sign-in shall hold.</param>
    /// <param name="ct">Gives up.</param>
    public Task<SignInAttempt> ByCodeAsync(string email, string code, string? address, TimeSpan lifetime, CancellationToken ct) =>
        AttemptAsync(
            email,
            address,
            lifetime,
            async () =>
            {
                // A try is a write only where there is a code; so that this tells nothing, every answer takes as long as the slowest is likely to take.
                var enough = Task.Delay(CodeAnswerTime, time, ct);
                var person = await people.FindByEmailAsync(email, ct);
                var isRight =
                    person is not null && await codes.TryAsync(person.Account, HashOf(person.Account, code), LedgerTime.Now(time), ct);
                await enough;
                return isRight ? person : null;
            }
        );

    /// <summary>Sends a one-time code to an address, if it is anybody's. Whether it is, is found out behind the answer.</summary>
    /// <returns>Whether it may be asked for now.</returns>
    /// <exception cref="LedgerUnavailableException">Too many letters wait to be sent.</exception>
    public Passage RequestCode(string email, string? address)
    {
        var passage = MayCome(email, address);
        if (passage.MayPass && !mailer.Post(ct => WriteCodeAsync(email, ct)))
            throw LedgerUnavailableException.Busy();
        return passage;
    }

    /// <summary>Whether somebody who has not signed in may ask for something in the name of an address.</summary>
    public Passage MayCome(string email, string? address)
    {
        // By machine first: what is counted by people's addresses would else grow with every address that is made up.
        var passage = gates.Count(RateBucket.Newcomers, address ?? "unknown");
        return passage.MayPass ? gates.Count(RateBucket.Authentication, IdentityOf(email)) : passage;
    }

    private async Task<Letter?> WriteCodeAsync(string email, CancellationToken ct)
    {
        if (await people.FindByEmailAsync(email, ct) is not { } person || !gates.Count(RateBucket.Codes, person.Account.Value).MayPass)
            return null;
        var code = RandomNumberGenerator.GetString("0123456789", CodeLength);
        await codes.OpenAsync(person.Account, HashOf(person.Account, code), LedgerTime.Now(time) + CodeLifetime, ct);
        return new(
            person.Email,
            "Your sign-in code",
            string.Create(
                CultureInfo.InvariantCulture,
                $"{code} is your code. It is good for {CodeLifetime.TotalMinutes} minutes and for one sign-in.\n\nIf you did not ask for it, do nothing: nobody can sign in without it."
            )
        );
    }

    /// <summary>The identity by which attempts are counted: an address without regard to case.</summary>
    public static string IdentityOf(string email)
    {
        ArgumentNullException.ThrowIfNull(email);
        return email.ToLowerInvariant();
    }

    private async Task<SignInAttempt> AttemptAsync(string email, string? address, TimeSpan lifetime, Func<Task<Person?>> find)
    {
        var machine = address ?? "unknown";
        var byMachine = gates.Look(RateBucket.FailedSignIns, machine);
        if (!byMachine.MayPass)
            return new SignInAttempt.TooMany(byMachine.RetryAfter);
        var byPerson = gates.Count(RateBucket.Authentication, IdentityOf(email));
        if (!byPerson.MayPass)
            return new SignInAttempt.TooMany(byPerson.RetryAfter);

        if (await find() is not { } person)
        {
            gates.Count(RateBucket.FailedSignIns, machine);
            return new SignInAttempt.Wrong();
        }

        var (account, _) = await ledger.ReadAsync(person.Account);
        if (account.Status == AccountStatus.Missing)
            return new SignInAttempt.Wrong();
        if (account.Status == AccountStatus.Suspended)
            return new SignInAttempt.Refused(RejectionCode.AccountSuspended);
        if (regions.IsBlocked(account.Country))
            return new SignInAttempt.RegionBlocked();

        return new SignInAttempt.Done(Of(account, lifetime));
    }

    /// <summary>A new sign-in of somebody of whom it is known who they are: later than what ended the sign-ins before, also within the same microsecond.</summary>
    /// <param name="account">The account as it is now.</param>
    /// <param name="lifetime">How long the sign-in shall hold.</param>
    public SignIn Of(Account account, TimeSpan lifetime)
    {
        ArgumentNullException.ThrowIfNull(account);
        var now = LedgerTime.Later(time, account.LastAt);
        var at = now <= account.SignIns.EndedAt ? account.SignIns.EndedAt.Value.AddMicroseconds(1) : now;
        return new(account.Id, new Guid(RandomNumberGenerator.GetBytes(16)), at, now + lifetime, account.Country);
    }

    private static byte[] HashOf(AccountId account, string code) =>
        SHA256.HashData(Encoding.UTF8.GetBytes($"one-time:{account.Value}:{code}"));
}
