using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;

namespace Ledger.EventStore;

/// <summary>
/// Goes over JSON as PostgreSQL writes <c>jsonb</c>: known to be sound, with at most one blank behind a colon or comma. Far cheaper than a reader that checks everything. What
/// it does not know, such as escapes and fractions, it leaves to whoever asks: it says that it cannot read them, and never reads them wrongly.
/// </summary>
/// <param name="text">The JSON, UTF-8.</param>
public ref struct JsonbText(ReadOnlySpan<byte> text)
{
    // One less than long.MaxValue has.
    private const int MaxDigits = 18;

    private readonly ReadOnlySpan<byte> _text = text;
    private int _at;

    /// <summary>The next byte; 0 at the end.</summary>
    public readonly byte Next => _at < _text.Length ? _text[_at] : (byte)0;

    /// <summary>Whether all was read.</summary>
    public readonly bool IsAtEnd => _at == _text.Length;

    /// <summary>Reads one byte, where it comes next.</summary>
    public bool TryTake(byte one)
    {
        if (Next != one || one == 0)
            return false;
        _at++;
        return true;
    }

    /// <summary>Reads a word, where it comes next.</summary>
    public bool TryTake(ReadOnlySpan<byte> word)
    {
        if (!_text[_at..].StartsWith(word))
            return false;
        _at += word.Length;
        return true;
    }

    /// <summary>Reads a text in which nothing is escaped.</summary>
    public bool TryString(out ReadOnlySpan<byte> value)
    {
        value = default;
        if (Next != '"')
            return false;
        var rest = _text[(_at + 1)..];
        var length = rest.IndexOfAny((byte)'"', (byte)'\\');
        if (length < 0 || rest[length] != '"')
            return false;
        value = rest[..length];
        _at += length + 2;
        return true;
    }

    /// <summary>Reads a text, whatever is escaped in it.</summary>
    public bool TryText([NotNullWhen(true)] out string? text)
    {
        text = null;
        if (TryString(out var plain))
        {
            text = Encoding.UTF8.GetString(plain);
            return true;
        }

        if (Next != '"')
            return false;
        for (var at = _at + 1; at < _text.Length; at++)
        {
            if (_text[at] == '\\')
            {
                at++;
            }
            else if (_text[at] == '"')
            {
                var reader = new Utf8JsonReader(_text[_at..(at + 1)]);
                reader.Read();
                text = reader.GetString()!;
                _at = at + 1;
                return true;
            }
        }

        return false;
    }

    /// <summary>Reads the name of a member, up to its value.</summary>
    public bool TryName(out ReadOnlySpan<byte> name)
    {
        if (!TryString(out name) || !TryTake((byte)':'))
            return false;
        TryTake((byte)' ');
        return true;
    }

    /// <summary>Reads a whole number of at most 18 digits.</summary>
    public bool TryInteger(out long value)
    {
        value = 0;
        var at = _at;
        var isNegative = Next == '-';
        if (isNegative)
            at++;
        var first = at;
        for (; at < _text.Length && _text[at] is >= (byte)'0' and <= (byte)'9' && at - first <= MaxDigits; at++)
            value = unchecked((value * 10) + _text[at] - '0');
        var digits = at - first;
        if (digits is 0 or > MaxDigits || (digits > 1 && _text[first] == '0'))
            return false;
        if (at < _text.Length && _text[at] is (byte)'.' or (byte)'e' or (byte)'E')
            return false;
        (value, _at) = (isNegative ? -value : value, at);
        return true;
    }

    /// <summary>Whether another member or item comes, and goes up to it.</summary>
    public bool HasMore()
    {
        if (!TryTake((byte)','))
            return false;
        TryTake((byte)' ');
        return true;
    }
}
