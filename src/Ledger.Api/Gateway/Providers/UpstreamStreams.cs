using System.Globalization;

namespace Ledger.Api.Gateway.Providers;

/// <summary>A stream that can only be read, asynchronously.</summary>
internal abstract class ReadOnlyStream : Stream
{
    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public abstract override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("A provider's answer is read asynchronously.");

    /// <inheritdoc/>
    public override void Flush() { }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

/// <summary>What was read ahead, then the rest.</summary>
internal sealed class ReplayStream(ReadOnlyMemory<byte> first, Stream rest) : ReadOnlyStream
{
    private ReadOnlyMemory<byte> _first = first;

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_first.IsEmpty)
            return rest.ReadAsync(buffer, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        var length = Math.Min(_first.Length, buffer.Length);
        _first[..length].CopyTo(buffer);
        _first = _first[length..];
        return ValueTask.FromResult(length);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await rest.DisposeAsync();
        await base.DisposeAsync();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            rest.Dispose();
        base.Dispose(disposing);
    }
}

/// <summary>How long is waited for a provider: from the request to the first byte, then from one byte to the next.</summary>
internal sealed class Patience : IDisposable
{
    private readonly TimeSpan _idle;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _over = new();
    private CancellationTokenSource? _linked;
    private CancellationToken _caller;
    private TimeSpan _limit;

    public Patience(TimeSpan first, TimeSpan idle, TimeProvider time)
    {
        (_limit, _idle) = (first, idle);
        _timer = time.CreateTimer(static state => ((Patience)state!).End(), this, first, System.Threading.Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether it is at its end.</summary>
    public bool IsOver => _over.IsCancellationRequested;

    /// <summary>Why there is no answer.</summary>
    public string Reason => string.Create(CultureInfo.InvariantCulture, $"nothing came for {_limit.TotalSeconds} s");

    /// <summary>Ends with the patience, or with the caller's.</summary>
    public CancellationToken With(CancellationToken caller)
    {
        if (!caller.CanBeCanceled)
            return _over.Token;

        // Nearly always the same one as before.
        if (_linked is null || caller != _caller)
        {
            _linked?.Dispose();
            (_linked, _caller) = (CancellationTokenSource.CreateLinkedTokenSource(caller, _over.Token), caller);
        }

        return _linked.Token;
    }

    /// <summary>Begins to wait for more.</summary>
    public void Wait() => _timer.Change(_limit = _idle, System.Threading.Timeout.InfiniteTimeSpan);

    /// <summary>Something came.</summary>
    public void Rest() => _timer.Change(System.Threading.Timeout.InfiniteTimeSpan, System.Threading.Timeout.InfiniteTimeSpan);

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer.Dispose();
        _linked?.Dispose();
        _over.Dispose();
    }

    private void End()
    {
        try
        {
            _over.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The answer ended at the same moment.
        }
    }
}

/// <summary>A body as it comes over the wire: too long a pause is a cut.</summary>
/// <param name="inner">The wire.</param>
/// <param name="patience">How long is waited; it is waiting for the first byte already, and ends with this.</param>
internal sealed class PatientStream(Stream inner, Patience patience) : ReadOnlyStream
{
    private bool _isFirst = true;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            var reading = inner.ReadAsync(buffer, patience.With(cancellationToken));
            if (reading.IsCompletedSuccessfully && !_isFirst)
                return reading.Result;
            if (!_isFirst)
                patience.Wait();
            var read = await reading;
            patience.Rest();
            _isFirst = false;
            return read;
        }
        catch (OperationCanceledException e) when (patience.IsOver && !cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"The answer was cut: {patience.Reason}.", e);
        }
        catch (HttpRequestException e)
        {
            throw new IOException("The answer was cut.", e);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        patience.Dispose();
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            patience.Dispose();
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
