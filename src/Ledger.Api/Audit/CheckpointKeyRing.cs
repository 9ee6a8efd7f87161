using System.Security.Cryptography;
using Ledger.Api.Application;
using Ledger.EventStore.Checkpoints;
using Microsoft.AspNetCore.DataProtection;

namespace Ledger.Api.Audit;

/// <summary>The keys that sign checkpoints and reports. The newest signs; the others stay, since what they have signed stays.</summary>
/// <param name="table">Where they are kept.</param>
/// <param name="protection">What protects private keys.</param>
/// <param name="time">The clock.</param>
public sealed class CheckpointKeyRing(LogCheckpoints table, IDataProtectionProvider protection, TimeProvider time)
{
    private readonly IDataProtector _protector = protection.CreateProtector("Ledger.CheckpointKeys");

    /// <summary>What everybody may know of them, newest first.</summary>
    public async Task<IReadOnlyList<CheckpointKey>> ListAsync(CancellationToken ct) =>
        [.. (await table.ListKeysAsync(ct)).Select(stored => stored.Key)];

    /// <summary>Signs with the newest key, which is made where there is none yet.</summary>
    /// <exception cref="CryptographicException">The key cannot be read: the keys that protect it are gone.</exception>
    public async Task<CheckpointSigner> OpenAsync(CancellationToken ct)
    {
        var newest = await NewestAsync(ct);
        if (newest is null)
        {
            await AddAsync(onlyFirst: true, ct);
            newest = await NewestAsync(ct);
        }

        var pair = ECDsa.Create();
        pair.ImportPkcs8PrivateKey(_protector.Unprotect(newest!.PrivateKey), out _);
        return new(newest.Key, pair);
    }

    /// <summary>Signs with a new key from now on.</summary>
    public Task<CheckpointKey> RotateAsync(CancellationToken ct) => AddAsync(onlyFirst: false, ct);

    /// <summary>Of imported checkpoints only the public key is there: it verifies, and signs nothing more.</summary>
    private async Task<StoredCheckpointKey?> NewestAsync(CancellationToken ct) =>
        (await table.ListKeysAsync(ct)).FirstOrDefault(stored => stored.PrivateKey.Length > 0);

    private async Task<CheckpointKey> AddAsync(bool onlyFirst, CancellationToken ct)
    {
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var key = CheckpointKey.Of(pair);
        await table.AddKeyAsync(new(key, _protector.Protect(pair.ExportPkcs8PrivateKey()), LedgerTime.Now(time)), onlyFirst, ct);
        return key;
    }
}

/// <summary>A key pair that signs.</summary>
/// <param name="key">What everybody may know of it.</param>
/// <param name="pair">The pair.</param>
public sealed class CheckpointSigner(CheckpointKey key, ECDsa pair) : IDisposable
{
    /// <summary>What everybody may know of it.</summary>
    public CheckpointKey Key => key;

    /// <summary>Signs.</summary>
    public byte[] Sign(byte[] content) => CheckpointKey.Sign(pair, content);

    /// <inheritdoc/>
    public void Dispose() => pair.Dispose();
}
