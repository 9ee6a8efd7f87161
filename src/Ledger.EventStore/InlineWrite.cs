using Npgsql;
using NpgsqlTypes;

namespace Ledger.EventStore;

/// <summary>
/// What one inline read model adds to an append: part of its statement, fed by columns of rows. The part may name its columns as
/// <c>:name</c>, and must filter its rows by <c>:won(n)</c>, where n is the index (from 1) of the stream that they belong to.
/// All columns have as many rows. One instance serves one writer and is filled anew for each trip.
/// </summary>
public abstract class InlineWrite
{
    private readonly List<InlineColumn> _columns = [];

    /// <summary>The part: one or more common table expressions that modify, without the leading comma.</summary>
    public abstract string Sql { get; }

    /// <summary>The columns, in the order of their making.</summary>
    public IReadOnlyList<InlineColumn> Columns => _columns;

    /// <summary>Whether there are no rows: the part is then left out of the statement, which costs less than a part that does nothing.</summary>
    public bool IsEmpty => _columns[0].Count == 0;

    /// <summary>Empties every column.</summary>
    public virtual void Clear()
    {
        foreach (var column in _columns)
            column.Clear();
    }

    /// <summary>Makes a column.</summary>
    protected InlineColumn<T> Column<T>(string name, NpgsqlDbType type)
    {
        var column = new InlineColumn<T>(name, type);
        _columns.Add(column);
        return column;
    }
}

/// <summary>One column of rows.</summary>
/// <param name="name">Its name in the part.</param>
/// <param name="type">The type of its elements.</param>
public abstract class InlineColumn(string name, NpgsqlDbType type)
{
    /// <summary>Its name in the part.</summary>
    public string Name { get; } = name;

    /// <summary>How many rows it has.</summary>
    public abstract int Count { get; }

    /// <summary>The type of its elements.</summary>
    protected NpgsqlDbType Type { get; } = type;

    /// <summary>A parameter that reads the column's rows when it is sent.</summary>
    public abstract NpgsqlParameter ToParameter();

    /// <summary>Empties it.</summary>
    public abstract void Clear();
}

/// <summary>One column of rows of one type.</summary>
/// <typeparam name="T">The type of its elements.</typeparam>
public sealed class InlineColumn<T>(string name, NpgsqlDbType type) : InlineColumn(name, type)
{
    private readonly List<T> _rows = [];

    /// <inheritdoc/>
    public override int Count => _rows.Count;

    /// <summary>Adds a row's value.</summary>
    public void Add(T value) => _rows.Add(value);

    /// <inheritdoc/>
    public override NpgsqlParameter ToParameter() =>
        new NpgsqlParameter<List<T>> { TypedValue = _rows, NpgsqlDbType = NpgsqlDbType.Array | Type };

    /// <inheritdoc/>
    public override void Clear() => _rows.Clear();
}
