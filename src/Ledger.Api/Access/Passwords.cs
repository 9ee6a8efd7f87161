using System.Threading.RateLimiting;
using Ledger.Api.Application;
using Ledger.Projections.Accounts;
using Microsoft.AspNetCore.Identity;

namespace Ledger.Api.Access;

/// <summary>
/// Makes and checks password hashes, a few at a time: each keeps a core busy for a while, on purpose, and spends must not wait for that. An address
/// that nobody has takes as long as one that somebody has.
/// </summary>
public sealed class Passwords(People people, TimeProvider time) : IDisposable
{
    /// <summary>The shortest password, in characters.</summary>
    public const int MinLength = 8;

    /// <summary>The longest password, in characters.</summary>
    public const int MaxLength = 200;

    private const int Waiting = 100;
    private readonly ConcurrencyLimiter _turn = new(
        new()
        {
            PermitLimit = Math.Max(1, Environment.ProcessorCount / 2),
            QueueLimit = Waiting,
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
        }
    );
    private readonly PasswordHasher<Person> _hasher = new();
    private readonly Person _nobody = new(new("nobody"), "nobody@example.com", DateTimeOffset.UnixEpoch);
    private string? _nobodysHash;

    /// <summary>The hash of a new password.</summary>
    /// <exception cref="LedgerUnavailableException">Too many ask at once.</exception>
    public async Task<string> HashAsync(Person person, string password, CancellationToken ct)
    {
        using var turn = await TakeTurnAsync(ct);
        return await Task.Run(() => _hasher.HashPassword(person, password), ct);
    }

    /// <summary>Whose address and password these are; null where they are nobody's.</summary>
    /// <exception cref="LedgerUnavailableException">Too many ask at once.</exception>
    public async Task<Person?> FindAsync(string email, string password, CancellationToken ct)
    {
        var person = await people.FindByEmailAsync(email, ct);
        var hash = await people.FindPasswordAsync((person ?? _nobody).Account, ct);
        using var turn = await TakeTurnAsync(ct);
        _nobodysHash ??= await Task.Run(() => _hasher.HashPassword(_nobody, "nobody"), ct);
        var verdict = await Task.Run(() => _hasher.VerifyHashedPassword(person ?? _nobody, hash ?? _nobodysHash, password), ct);
        if (person is null || hash is null || verdict == PasswordVerificationResult.Failed)
            return null;
        if (verdict == PasswordVerificationResult.SuccessRehashNeeded)
            await people.SetPasswordAsync(
                person.Account,
                await Task.Run(() => _hasher.HashPassword(person, password), ct),
                LedgerTime.Now(time),
                ct
            );
        return person;
    }

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    private async Task<RateLimitLease> TakeTurnAsync(CancellationToken ct)
    {
        var turn = await _turn.AcquireAsync(1, ct);
        if (turn.IsAcquired)
            return turn;
        turn.Dispose();
        throw LedgerUnavailableException.Busy();
    }
}
