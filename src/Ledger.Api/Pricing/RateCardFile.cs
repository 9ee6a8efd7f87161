namespace Ledger.Api.Pricing;

/// <summary>A rate card in a file: the default one beside the program, or the one that <c>Ledger__RateCard</c> names.</summary>
internal static class RateCardFile
{
    /// <summary>Where the first rate card comes from.</summary>
    public static string PathFrom(IConfiguration configuration) =>
        configuration["Ledger:RateCard"] is { Length: > 0 } named
            ? Path.GetFullPath(named)
            : Path.Combine(AppContext.BaseDirectory, "rate-card.json");

    /// <summary>Reads a file that must hold a lawful rate card.</summary>
    /// <exception cref="RateCardFileException">It cannot be read, or something is wrong with it; the message names all of it.</exception>
    public static async Task<string> ReadAsync(string path, CancellationToken ct)
    {
        string text;
        try
        {
            text = await File.ReadAllTextAsync(path, ct);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RateCardFileException($"The rate card {path} cannot be read: {e.Message}");
        }

        var faults = RateCardSource.Check(text);

        // The document itself: what stands around it in a file would make the same card a different one.
        if (faults.Count == 0)
            return text.Trim();
        throw new RateCardFileException(
            $"The rate card {path} is not lawful:\n"
                + string.Join("\n", faults.Select(fault => "  " + (fault.Path.Length == 0 ? "" : fault.Path + " ") + fault.Message))
        );
    }
}

/// <summary>A rate card in a file cannot be used.</summary>
/// <param name="message">Why, in words that an operator can act on.</param>
public sealed class RateCardFileException(string message) : Exception(message);
