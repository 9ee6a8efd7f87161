using System.Buffers;

namespace Ledger.EventStore.Transfer;

/// <summary>Bytes that grow, and can be emptied from the front.</summary>
internal sealed class ByteBuffer(int capacity) : IBufferWriter<byte>
{
    private byte[] _bytes = new byte[capacity];

    /// <summary>How many there are.</summary>
    public int Length { get; private set; }

    /// <summary>All there are.</summary>
    public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, Length);

    /// <summary>The same, for longer than a call.</summary>
    public ReadOnlyMemory<byte> Memory => _bytes.AsMemory(0, Length);

    /// <inheritdoc/>
    public void Advance(int count) => Length += count;

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Grow(sizeHint);
        return _bytes.AsMemory(Length);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Grow(sizeHint);
        return _bytes.AsSpan(Length);
    }

    /// <summary>Adds bytes.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(GetSpan(bytes.Length));
        Length += bytes.Length;
    }

    /// <summary>Takes away the first.</summary>
    public void Remove(int count)
    {
        _bytes.AsSpan(count, Length - count).CopyTo(_bytes);
        Length -= count;
    }

    /// <summary>Takes away all.</summary>
    public void Clear() => Length = 0;

    private void Grow(int more)
    {
        var needed = checked(Length + Math.Max(more, 1));
        if (needed > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(needed, checked(_bytes.Length * 2)));
    }
}
