using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Ledger.Api.Application;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Projections.Access;

namespace Ledger.Api.Access;

/// <summary>
/// Access tokens: signed statements that somebody signed in to an account, good for an hour. Whether the sign-in was ended since, the account's own
/// state knows. The keys that sign them lie in the database, so that every node takes every node's tokens.
/// </summary>
/// <param name="store">The keys.</param>
/// <param name="time">The clock.</param>
public sealed class AccessTokens(SigningKeys store, TimeProvider time) : IDisposable
{
    /// <summary>How long a token is good for.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    private const string Issuer = "ledger";
    private const int Remembered = 10_000;

    // Two nodes' clocks may differ by so much before either is not ready.
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(2);
    private readonly SemaphoreSlim _loading = new(1, 1);
    private readonly TwoHalves<SecretHash, Verified> _verified = new(Remembered);

    // How long a node may sign with a key that another node has replaced.
    private static readonly TimeSpan KeyAge = TimeSpan.FromMinutes(1);
    private volatile Known _known = new([], null, 0);

    /// <summary>A new token.</summary>
    public async Task<string> IssueAsync(SignIn signIn, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(signIn);
        var known = await LoadAsync(KeyAge, ct);
        var claims = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(claims))
        {
            json.WriteStartObject();
            json.WriteString("iss", Issuer);
            json.WriteString("sub", signIn.Account.Value);
            json.WriteString("jti", signIn.Id);
            json.WritePropertyName("iat");
            json.WriteRawValue(Seconds(signIn.At));
            json.WritePropertyName("exp");
            json.WriteRawValue(Seconds(signIn.ExpiresAt));
            if (signIn.Country is not null)
                json.WriteString("country", signIn.Country);
            json.WriteEndObject();
        }

        return Jwt.Sign(known.Keys[known.Newest!].Key, known.Newest!, claims.WrittenSpan);
    }

    /// <summary>The sign-in that a token states; null where it is none of ours, or has expired.</summary>
    public async ValueTask<SignIn?> FindAsync(string token, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(token);
        if (token.Length > Jwt.MaxLength || !Ascii.IsValid(token))
            return null;
        var hash = SecretHash.Of(token);
        var signIn = _verified.Find(hash)?.SignIn ?? await VerifyAsync(token, hash, ct);
        var now = time.GetUtcNow();
        return signIn is not null && now < signIn.ExpiresAt && signIn.At <= now + Skew ? signIn : null;
    }

    /// <summary>Signs with a new key from now on. Tokens of the one before stay good until they expire.</summary>
    public async Task<string> RotateAsync(CancellationToken ct)
    {
        var key = NewKey();
        await store.RotateAsync(key, key.CreatedAt - Lifetime - KeyAge - Skew, ct);
        await LoadAsync(TimeSpan.Zero, ct);
        return key.Id;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _loading.Dispose();
        foreach (var (key, _) in _known.Keys.Values)
            key.Dispose();
    }

    private async ValueTask<SignIn?> VerifyAsync(string token, SecretHash hash, CancellationToken ct)
    {
        if (Jwt.KeyIdOf(token) is not { } keyId)
            return null;
        var generation = _verified.Generation;
        if (!_known.Keys.TryGetValue(keyId, out var key))
        {
            // Another node may have made it since. Made-up names must not become a query each.
            if (!(await LoadAsync(TimeSpan.FromMilliseconds(100), ct)).Keys.TryGetValue(keyId, out key))
                return null;
        }

        // A key that was replaced, such as one that leaked, states nothing about what came after.
        if (Jwt.Verify(key.Key, token) is not { } claims || Read(claims) is not { } signIn || signIn.At > key.ReplacedAt + KeyAge + Skew)
            return null;
        _verified.Keep(generation, hash, new(signIn));
        return signIn;
    }

    private static SignIn? Read(byte[] claims)
    {
        try
        {
            using var json = JsonDocument.Parse(claims);
            var root = json.RootElement;
            return root.GetProperty("iss").ValueEquals(Issuer)
                ? new(
                    new(root.GetProperty("sub").GetString()!),
                    root.GetProperty("jti").GetGuid(),
                    Time(root.GetProperty("iat").GetDecimal()),
                    Time(root.GetProperty("exp").GetDecimal()),
                    root.TryGetProperty("country", out var country) ? country.GetString() : null
                )
                : null;
        }
        catch (Exception e)
            when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or OverflowException)
        {
            return null;
        }
    }

    // NumericDate may have a fraction (RFC 7519, section 2): sign-ins are compared with events, to the microsecond.
    private static string Seconds(DateTimeOffset at) =>
        ((decimal)(at.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerSecond).ToString(
            "0.######",
            CultureInfo.InvariantCulture
        );

    private static DateTimeOffset Time(decimal seconds) => DateTimeOffset.UnixEpoch.AddTicks((long)(seconds * TimeSpan.TicksPerSecond));

    private async Task<Known> LoadAsync(TimeSpan maxAge, CancellationToken ct)
    {
        if (IsYoung(_known))
            return _known;
        await _loading.WaitAsync(ct);
        try
        {
            var before = _known;
            if (IsYoung(before))
                return before;
            var now = time.GetTimestamp();
            var stored = await store.ListAsync(ct);
            if (stored.Count == 0)
            {
                await store.AddFirstAsync(NewKey(), ct);
                stored = await store.ListAsync(ct);
            }

            var keys = new Dictionary<string, (ECDsa Key, DateTimeOffset? ReplacedAt)>(StringComparer.Ordinal);
            DateTimeOffset? replacedAt = null;
            foreach (var key in stored)
            {
                var known = before.Keys.TryGetValue(key.Id, out var same) ? same.Key : null;
                if (known is null)
                {
                    known = ECDsa.Create();
                    known.ImportPkcs8PrivateKey(key.PrivateKey, out _);
                }

                keys.Add(key.Id, (known, replacedAt));
                replacedAt = key.CreatedAt;
            }

            // What was verified by a key that is gone, or was replaced since, is verified anew.
            if (before.Keys.Any(key => !keys.TryGetValue(key.Key, out var now) || now.ReplacedAt != key.Value.ReplacedAt))
                _verified.Clear();
            return _known = new(keys, stored[0].Id, now);
        }
        finally
        {
            _loading.Release();
        }

        bool IsYoung(Known known) => known.Newest is not null && time.GetElapsedTime(known.LoadedAt) < maxAge;
    }

    private SigningKey NewKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new(Identifiers.NewKey().Value, key.ExportPkcs8PrivateKey(), LedgerTime.Now(time));
    }

    private sealed record Verified(SignIn SignIn);

    /// <summary>The keys as they were read together.</summary>
    private sealed record Known(Dictionary<string, (ECDsa Key, DateTimeOffset? ReplacedAt)> Keys, string? Newest, long LoadedAt);
}

/// <summary>That somebody signed in to an account in person, without a key.</summary>
/// <param name="Account">The account.</param>
/// <param name="Id">The sign-in's own id.</param>
/// <param name="At">When, to the microsecond.</param>
/// <param name="ExpiresAt">Until when it holds at most.</param>
/// <param name="Country">Where the account is at home, ISO 3166-1 alpha-2; null where that is not known.</param>
public sealed record SignIn(AccountId Account, Guid Id, DateTimeOffset At, DateTimeOffset ExpiresAt, string? Country)
{
    /// <summary>By what right whoever signed in acts.</summary>
    public Credential Credential => Credential.Of(Id, At);
}
