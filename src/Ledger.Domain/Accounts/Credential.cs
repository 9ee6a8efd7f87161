namespace Ledger.Domain.Accounts;

/// <summary>
/// By what right somebody acts for an account, as far as only the account's own state can judge it. That it is genuine was found before; whether it
/// holds now is decided together with what it is used for.
/// </summary>
/// <param name="Key">The key; the default value where the account's holder signed in without one.</param>
/// <param name="Secret">Which of the key's secrets was shown, by number from 1; 0 where none was and somebody else vouches for the key.</param>
/// <param name="SignIn">The sign-in; the default value where there is none.</param>
/// <param name="SignedInAt">When that was.</param>
public readonly record struct Credential(KeyId Key, int Secret = 0, Guid SignIn = default, DateTimeOffset SignedInAt = default)
{
    /// <summary>A sign-in without a key.</summary>
    public static Credential Of(Guid signIn, DateTimeOffset at) => new(default, 0, signIn, at);

    /// <summary>Whether it is a key, not the account's holder in person.</summary>
    public bool IsKey => Key != default;
}
