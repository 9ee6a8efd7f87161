using System.Collections.Concurrent;

namespace Ledger.Api.Access;

/// <summary>
/// Remembers about as many things as it may, those that are asked for longest: two halves, of which the young one becomes the old one when it is
/// full, and what the old one held is forgotten but for what was asked for meanwhile. Reading takes no lock.
/// </summary>
/// <param name="capacity">About how many.</param>
internal sealed class TwoHalves<TKey, TValue>(int capacity)
    where TKey : notnull
    where TValue : class
{
    private readonly int _half = Math.Max(1, capacity / 2);
    private readonly Lock _turn = new();
    private volatile Half _young = new();
    private volatile Half _old = new();

    /// <summary>How many are remembered now.</summary>
    public int Count => _young.Items.Count + _old.Items.Count;

    /// <summary>What is to be handed over with whatever is read now: where all was forgotten in between, that is forgotten too.</summary>
    public object Generation => _young;

    /// <summary>What is remembered of a key; null where nothing is.</summary>
    public TValue? Find(TKey key)
    {
        var (young, old) = (_young, _old);
        if (young.Items.TryGetValue(key, out var value))
            return value;
        if (!old.Items.TryGetValue(key, out value))
            return null;
        Keep(young, key, value);
        return value;
    }

    /// <summary>Remembers something.</summary>
    /// <param name="generation">The <see cref="Generation"/> from before it was read.</param>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    public void Keep(object generation, TKey key, TValue value)
    {
        var young = (Half)generation;
        if (!young.Items.TryAdd(key, value) || Interlocked.Increment(ref young.Count) < _half)
            return;
        lock (_turn)
        {
            if (_young == young)
                (_young, _old) = (new(), young);
        }
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        lock (_turn)
            (_young, _old) = (new(), new());
    }

    private sealed class Half
    {
        public readonly ConcurrentDictionary<TKey, TValue> Items = new();
        public int Count;
    }
}
