using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Ledger.Domain.Money;

namespace Ledger.Api.Dashboard;

/// <summary>
/// A form that was sent, its token against forgery checked. Reading a value notes what is wrong with it, so that everything is said at once and the form
/// shown again as it was filled in.
/// </summary>
/// <param name="fields">What was sent.</param>
public sealed class FormPost(IFormCollection fields)
{
    /// <summary>The field in which every form carries an id of its own, made when it was shown.</summary>
    public const string IdField = "form_id";

    private const string Digits = "0123456789abcdefghjkmnpqrstvwxyz";
    private readonly Dictionary<string, string> _faults = new(StringComparer.Ordinal);

    /// <summary>A form that was not sent yet.</summary>
    public static FormPost Blank => new(FormCollection.Empty);

    /// <summary>A new id for a form that is shown.</summary>
    public static string NewId() => RandomNumberGenerator.GetString(Digits, 20);

    /// <summary>The form's own id; a new one where somebody took it out.</summary>
    public string Id { get; } =
        fields[IdField] is [{ Length: 20 } id] && id.All(c => Digits.Contains(c, StringComparison.Ordinal)) ? id : NewId();

    /// <summary>What is wrong, by field.</summary>
    public IReadOnlyDictionary<string, string> Faults => _faults;

    /// <summary>Whether nothing is wrong so far.</summary>
    public bool IsValid => _faults.Count == 0;

    /// <summary>Notes what is wrong with a field.</summary>
    public void Fault(string name, string message) => _faults.TryAdd(name, message);

    /// <summary>A field as it was sent; empty where it was not.</summary>
    public string Value(string name) => fields[name] is [{ } value] ? value : "";

    /// <summary>Whether a box was ticked.</summary>
    public bool IsTicked(string name) => Value(name).Length > 0;

    /// <summary>Everything that was sent under a name.</summary>
    public IReadOnlyList<string> All(string name) => [.. fields[name].OfType<string>()];

    /// <summary>A text without blanks around it; null where it is empty, or too long, or holds what cannot be stored.</summary>
    public string? Text(string name, int max, bool isRequired = false)
    {
        var text = Value(name).Trim();
        if (text.Length == 0)
        {
            if (isRequired)
                Fault(name, "Fill this in.");
            return null;
        }

        if (text.Length > max)
            Fault(name, string.Create(CultureInfo.InvariantCulture, $"At most {max} characters."));
        else if (text.Any(char.IsControl) || !IsWellFormed(text))
            Fault(name, "It holds characters that cannot be stored.");
        else
            return text;
        return null;
    }

    /// <summary>Texts that stand on lines of their own, or between commas; none where it is empty.</summary>
    public IReadOnlyList<string> Lines(string name, int maxLines, int max)
    {
        var lines = Value(name).Split(['\n', '\r', ','], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (lines.Length > maxLines)
            Fault(name, string.Create(CultureInfo.InvariantCulture, $"At most {maxLines} of them."));
        else if (lines.Any(line => line.Length > max))
            Fault(name, string.Create(CultureInfo.InvariantCulture, $"At most {max} characters each."));
        else if (lines.Any(line => line.Any(char.IsControl) || !IsWellFormed(line)))
            Fault(name, "It holds characters that cannot be stored.");
        else
            return lines;
        return [];
    }

    /// <summary>A secret, exactly as it was typed.</summary>
    public string? Secret(string name, int max)
    {
        var text = Value(name);
        if (text.Length is 0 || text.Length > max || text.Contains('\0', StringComparison.Ordinal))
        {
            Fault(name, text.Length == 0 ? "Fill this in." : string.Create(CultureInfo.InvariantCulture, $"At most {max} characters."));
            return null;
        }

        return text;
    }

    /// <summary>A positive amount; null where it is empty, or none.</summary>
    public Amount? Amount(string name, Unit unit, bool isRequired = false)
    {
        if (Text(name, 40, isRequired) is not { } text)
            return null;
        if (Ledger.Domain.Money.Amount.TryParse(text, unit, out var amount) && amount.IsPositive)
            return amount;
        Fault(
            name,
            string.Create(
                CultureInfo.InvariantCulture,
                $"A number above 0, with at most {unit.Places()} decimal places and a point, not a comma."
            )
        );
        return null;
    }

    /// <summary>A whole number within bounds; null where it is empty, or none.</summary>
    public long? Whole(string name, long min, long max, bool isRequired = false)
    {
        if (Text(name, 20, isRequired) is not { } text)
            return null;
        if (
            long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && number >= min
            && number <= max
        )
            return number;
        Fault(name, string.Create(CultureInfo.InvariantCulture, $"A whole number from {min} to {max}."));
        return null;
    }

    /// <summary>A day; null where it is empty, or none.</summary>
    public DateOnly? Day(string name, bool isRequired = false)
    {
        if (Text(name, 10, isRequired) is not { } text)
            return null;
        if (DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day))
            return day;
        Fault(name, "A day such as 2026-07-03.");
        return null;
    }

    /// <summary>One of several values, by its name in the form; the first where it was not sent.</summary>
    public T Choice<T>(string name, params ReadOnlySpan<(string Name, T Value)> choices)
    {
        var wanted = Value(name);
        foreach (var (known, value) in choices)
        {
            if (known == wanted)
                return value;
        }

        if (wanted.Length > 0)
            Fault(name, "Choose one of the list.");
        return choices[0].Value;
    }

    private static bool IsWellFormed(string text)
    {
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune == Rune.ReplacementChar)
                return false;
        }

        return true;
    }
}
