using System.Text.Json.Serialization;
using Ledger.Api.Http;

namespace Ledger.Api.Dialects.Tools;

/// <summary>Opens an account.</summary>
/// <param name="Email">The address; nobody else's, without regard to case.</param>
/// <param name="Password">8 to 200 characters.</param>
/// <param name="Country">ISO 3166-1 alpha-2, such as <c>DE</c>.</param>
public sealed record RegisterRequest(string Email, string Password, string? Country);

/// <summary>An account was opened.</summary>
/// <param name="AccountId">Its id.</param>
public sealed record Registered(string AccountId);

/// <summary>Signs in by password.</summary>
/// <param name="Email">The address.</param>
/// <param name="Password">The password.</param>
public sealed record TokenRequest(string Email, string Password);

/// <summary>An access token.</summary>
/// <param name="AccessToken">The token: <c>Authorization: Bearer …</c>.</param>
/// <param name="TokenType">Always <c>bearer</c>.</param>
/// <param name="ExpiresIn">For how many seconds it is good.</param>
public sealed record TokenResponse(string AccessToken, string TokenType, long ExpiresIn);

/// <summary>Asks for a one-time code.</summary>
/// <param name="Email">The address that it goes to.</param>
public sealed record CodeRequest(string Email);

/// <summary>It will be done, if there is anything to do.</summary>
/// <param name="Ok">Always true.</param>
public sealed record AcceptedResponse(bool Ok);

/// <summary>Signs in by a one-time code.</summary>
/// <param name="Email">The address that it went to.</param>
/// <param name="Code">Six digits.</param>
public sealed record VerifyRequest(string Email, string Code);

/// <summary>Opens a session, by password or by one-time code.</summary>
/// <param name="Email">The address.</param>
/// <param name="Password">The password; left out where there is a code.</param>
/// <param name="Code">The code that was sent to the address.</param>
public sealed record SessionRequest(string Email, string? Password, string? Code);

/// <summary>A session.</summary>
/// <param name="AccountId">Whose it is.</param>
/// <param name="CsrfToken">What every write of the session needs in <c>X-CSRF-Token</c>.</param>
/// <param name="ExpiresAt">When it ends by itself.</param>
public sealed record SessionResponse(string AccountId, string CsrfToken, DateTimeOffset ExpiresAt);

/// <summary>An account's referrals.</summary>
/// <param name="Ok">Always true.</param>
/// <param name="Code">What others give to say that this account brought them.</param>
/// <param name="Referred">How many did.</param>
/// <param name="TokensEarned">What the account got for them, in whole credits.</param>
public sealed record ReferralResponse(bool Ok, string Code, long Referred, long TokensEarned);

/// <summary>Says who brought this account.</summary>
/// <param name="Code">The other account's code.</param>
public sealed record ApplyReferralRequest(string Code);

/// <summary>A referral was applied.</summary>
/// <param name="Ok">Always true.</param>
/// <param name="TokensEarned">What the account got for it, in whole credits.</param>
/// <param name="BalanceAfter">What is available after it.</param>
public sealed record AppliedReferralResponse(bool Ok, long TokensEarned, long BalanceAfter);

/// <summary>Writes the answers: snake_case, times as everywhere.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(WireTimeConverter)])]
[JsonSerializable(typeof(Registered))]
[JsonSerializable(typeof(TokenResponse))]
[JsonSerializable(typeof(AcceptedResponse))]
[JsonSerializable(typeof(SessionResponse))]
[JsonSerializable(typeof(ReferralResponse))]
[JsonSerializable(typeof(AppliedReferralResponse))]
internal sealed partial class AuthJson : JsonSerializerContext;
