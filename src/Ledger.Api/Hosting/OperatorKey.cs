using System.Security.Cryptography;
using System.Text;

namespace Ledger.Api.Hosting;

/// <summary>The operator's key: <c>Ledger__AdminKey</c>, or one that was generated once and is kept in the data folder.</summary>
/// <param name="text">The key.</param>
public sealed class OperatorKey(string text)
{
    private readonly byte[] _hash = SHA256.HashData(Encoding.UTF8.GetBytes(text));

    /// <summary>The key itself, for the welcome and for <c>demo.json</c>.</summary>
    public string Text => text;

    /// <summary>A name of the key by which it cannot be found out: what is derived from it is another for every key.</summary>
    public string Fingerprint { get; } =
        Convert.ToHexStringLower(SHA256.HashData([.. "ledger.operator:"u8, .. SHA256.HashData(Encoding.UTF8.GetBytes(text))]));

    /// <summary>Reads the key, or makes one.</summary>
    public static async Task<OperatorKey> LoadAsync(IConfiguration configuration, string dataFolder, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        if (configuration["Ledger:AdminKey"] is { Length: > 0 } configured)
            return new(configured);
        var path = Path.Combine(dataFolder, "admin-key");
        if (File.Exists(path))
            return new((await File.ReadAllTextAsync(path, ct)).Trim());
        var made = "ledger_admin_" + RandomNumberGenerator.GetString("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 40);
        await PrivateFile.WriteAsync(path, Encoding.UTF8.GetBytes(made + "\n"), ct);
        return new(made);
    }

    /// <summary>Whether a token is the key; takes as long whatever is wrong with it.</summary>
    public bool Matches(string? token) =>
        token is not null && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(token)), _hash);
}
