namespace Ledger.Api.Dashboard.Access;

/// <summary>A form for somebody who is not signed in.</summary>
/// <param name="Form">The form as it was sent; blank where it was not.</param>
/// <param name="Next">Where to go on afterwards.</param>
/// <param name="Problem">What is wrong with the whole of it; null for nothing.</param>
/// <param name="Notice">What has been done; null for nothing.</param>
public sealed record SignInModel(FormPost Form, string Next, string? Problem = null, string? Notice = null)
{
    /// <summary>Another page of signing in, from where one goes on to the same place.</summary>
    /// <param name="path">The page.</param>
    public string WithNext(string path) => Next == "/" ? path : $"{path}?next={Uri.EscapeDataString(Next)}";
}

/// <summary>How an account is signed in to.</summary>
/// <param name="Form">The form as it was sent; blank where it was not.</param>
/// <param name="Email">The person's address; null where it was deleted.</param>
/// <param name="HasPassword">Whether there is a password to be typed first.</param>
/// <param name="SignedInAt">When this session began.</param>
/// <param name="ExpiresAt">When it ends by itself.</param>
/// <param name="Notice">What has been done; null for nothing.</param>
public sealed record SecurityModel(
    FormPost Form,
    string? Email,
    bool HasPassword,
    DateTimeOffset SignedInAt,
    DateTimeOffset ExpiresAt,
    string? Notice
);
