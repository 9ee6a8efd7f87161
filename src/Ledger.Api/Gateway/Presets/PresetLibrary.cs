using System.Collections.Frozen;
using System.Text;
using Ledger.Api.Application;

namespace Ledger.Api.Gateway.Presets;

/// <summary>The presets of coding tools: one text each, put in front of what callers of the tool's route say to the model themselves.</summary>
public sealed class PresetLibrary
{
    /// <summary>The most that one may hold, in bytes: it is paid for with every call.</summary>
    public const int MaxSize = 64 * 1024;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly FrozenDictionary<string, string> _texts;

    private PresetLibrary(FrozenDictionary<string, string> texts) => _texts = texts;

    /// <summary>The tools that have one.</summary>
    public static IReadOnlyList<string> Tools { get; } = ["claudecode", "cline", "cursor", "roocode"];

    /// <summary>The preset of a tool; null where there is no such tool.</summary>
    public string? Find(string tool) => _texts.GetValueOrDefault(tool);

    /// <summary>Reads them from the folder that <c>Gateway:Presets</c> names, else from the one beside the program.</summary>
    /// <exception cref="SettingsException">One is missing, empty, too large or not text; the message names it.</exception>
    public static PresetLibrary From(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        var named = configuration["Gateway:Presets"];
        var folder = string.IsNullOrEmpty(named) ? Path.Combine(AppContext.BaseDirectory, "presets") : Path.GetFullPath(named);
        return new(Tools.ToFrozenDictionary(tool => tool, tool => Read(Path.Combine(folder, tool + ".md")), StringComparer.Ordinal));
    }

    private static string Read(string path)
    {
        byte[] bytes;
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > MaxSize })
                throw Fault(path, $"is larger than {MaxSize / 1024} KiB.");
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Fault(path, $"cannot be read: {e.Message}", e);
        }

        try
        {
            var text = Strict.GetString(bytes).TrimStart('\uFEFF').Trim();
            return text.Length > 0 ? text : throw Fault(path, "is empty.");
        }
        catch (DecoderFallbackException e)
        {
            throw Fault(path, "is not UTF-8.", e);
        }
    }

    private static SettingsException Fault(string path, string what, Exception? inner = null) =>
        new($"The preset {path} {what} Gateway:Presets names another folder.", inner);
}
