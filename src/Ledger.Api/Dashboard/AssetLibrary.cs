using System.Collections.Frozen;
using System.IO.Compression;
using System.Reflection;
using System.Security.Cryptography;

namespace Ledger.Api.Dashboard;

/// <summary>
/// The dashboard's own style sheet, scripts and icon, which travel inside the program: it serves them wherever it is started. Each has a name with a digest of
/// its contents in it, so that browsers keep it for good, and is compressed once.
/// </summary>
public sealed class AssetLibrary
{
    private const string Prefix = "dashboard/";
    private readonly FrozenDictionary<string, Asset> _byName;
    private readonly FrozenDictionary<string, Asset> _byFile;

    /// <summary>Reads them.</summary>
    public AssetLibrary()
    {
        var program = typeof(AssetLibrary).Assembly;
        var assets = program
            .GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Select(name => Read(program, name))
            .ToList();
        _byName = assets.ToFrozenDictionary(asset => asset.Name, StringComparer.Ordinal);
        _byFile = assets.ToFrozenDictionary(asset => asset.File, StringComparer.Ordinal);
    }

    /// <summary>Where one is found, such as <c>/assets/ledger.0123456789ab.css</c>.</summary>
    /// <param name="name">Its name, such as <c>ledger.css</c>.</param>
    /// <exception cref="KeyNotFoundException">There is none of this name.</exception>
    public string Href(string name) => "/assets/" + _byName[name].File;

    /// <summary>Maps the route.</summary>
    internal void Map(WebApplication app) => app.MapGet("/assets/{file}", SendAsync).ExcludeFromDescription();

    private async Task SendAsync(HttpContext context, string file)
    {
        var response = context.Response;
        if (!_byFile.TryGetValue(file, out var asset))
        {
            response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        var accepted = context.Request.Headers.AcceptEncoding.ToString();
        var (encoding, bytes) =
            accepted.Contains("br", StringComparison.Ordinal) ? ("br", asset.Brotli)
            : accepted.Contains("gzip", StringComparison.Ordinal) ? ("gzip", asset.Gzip)
            : (null, asset.Plain);
        if (encoding is not null)
            response.Headers.ContentEncoding = encoding;
        response.Headers.Vary = "Accept-Encoding";
        response.Headers.CacheControl = "public, max-age=31536000, immutable";
        response.Headers.XContentTypeOptions = "nosniff";
        response.ContentType = asset.Type;
        response.ContentLength = bytes.Length;
        await response.Body.WriteAsync(bytes, context.RequestAborted);
    }

    private static Asset Read(Assembly program, string resource)
    {
        using var stream = program.GetManifestResourceStream(resource)!;
        var plain = new byte[stream.Length];
        stream.ReadExactly(plain);
        var name = resource[Prefix.Length..];
        var digest = Convert.ToHexStringLower(SHA256.HashData(plain))[..12];
        var ending = Path.GetExtension(name);
        var type = ending switch
        {
            ".css" => "text/css; charset=utf-8",
            ".js" => "text/javascript; charset=utf-8",
            ".svg" => "image/svg+xml",
            _ => throw new InvalidOperationException($"{name} is of no kind that the dashboard serves."),
        };
        return new(
            name,
            $"{Path.GetFileNameWithoutExtension(name)}.{digest}{ending}",
            type,
            plain,
            Compress(plain, target => new BrotliStream(target, CompressionLevel.SmallestSize)),
            Compress(plain, target => new GZipStream(target, CompressionLevel.SmallestSize))
        );
    }

    private static byte[] Compress(byte[] plain, Func<Stream, Stream> around)
    {
        using var target = new MemoryStream();
        using (var compressor = around(target))
            compressor.Write(plain);
        return target.ToArray();
    }

    private sealed record Asset(string Name, string File, string Type, byte[] Plain, byte[] Brotli, byte[] Gzip);
}
