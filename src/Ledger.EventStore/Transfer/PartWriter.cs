using System.IO.Compression;
using System.Security.Cryptography;

namespace Ledger.EventStore.Transfer;

/// <summary>Writes one part of an export: beside its place first, and on disk before it gets its name. Lines go out in blocks of one size, so that the same lines give the same bytes.</summary>
internal sealed class PartWriter : IAsyncDisposable
{
    private const int Block = 1 << 20;

    private readonly string _path;
    private readonly FileStream _file;
    private readonly HashingStream _hashed;
    private readonly Stream _body;
    private readonly IncrementalHash _lines = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private ByteBuffer _filling = new(2 * Block);
    private ByteBuffer _leaving = new(2 * Block);
    private Task _writing = Task.CompletedTask;
    private long _events;
    private long _first;
    private long _last;

    public PartWriter(string path, bool isCompressed)
    {
        _path = path;
        _file = new(path + ".part", FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        _hashed = new(_file);
        _body = isCompressed ? new GZipStream(_hashed, CompressionLevel.Fastest, leaveOpen: true) : _hashed;
    }

    public long Events => _events;

    /// <summary>What comes before the first event.</summary>
    public void WriteHead(LineFormat format) => format.WriteHead(_filling);

    /// <summary>Whether a block is full, so that it is time to <see cref="LeaveAsync()"/>.</summary>
    public bool IsFull => _filling.Length >= Block;

    /// <summary>Adds an event.</summary>
    public void Add(LineFormat format, in EventRow row, ref uint check)
    {
        format.Write(row, _filling, ref check);
        if (_events++ == 0)
            _first = row.Position;
        _last = row.Position;
    }

    /// <summary>Sends off the blocks that are full. Compressing and writing go on beside whoever fills the next one.</summary>
    public Task LeaveAsync() => LeaveAsync(_filling.Length / Block * Block);

    /// <summary>Ends the part and gives it its name.</summary>
    public async Task<ExportPart> EndAsync()
    {
        await LeaveAsync(_filling.Length);
        await _writing;
        if (_body != _hashed)
            await _body.DisposeAsync();
        _file.Flush(flushToDisk: true);
        var bytes = _file.Length;
        await _file.DisposeAsync();
        File.Move(_path + ".part", _path, overwrite: true);
        return new(
            Path.GetFileName(_path),
            _events,
            _first,
            _last,
            bytes,
            _hashed.End(),
            Convert.ToHexStringLower(_lines.GetHashAndReset())
        );
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _writing;
        }
        catch (IOException)
        {
            // Whoever waited for it before was told.
        }

        _lines.Dispose();
        if (_file.CanWrite)
        {
            // Not ended: what there is of it is of no use, and its room may be what is lacking.
            await _file.DisposeAsync();
            File.Delete(_path + ".part");
        }

        await _hashed.DisposeAsync();
    }

    private async Task LeaveAsync(int length)
    {
        await _writing;
        (_filling, _leaving) = (_leaving, _filling);
        _filling.Clear();
        _filling.Write(_leaving.Span[length..]);
        var block = _leaving.Memory[..length];
        _writing = Task.Run(() =>
        {
            _lines.AppendData(block.Span);
            _body.Write(block.Span);
        });
    }

    /// <summary>Hashes what passes through it.</summary>
    private sealed class HashingStream(Stream to) : Stream
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public string End() => Convert.ToHexStringLower(_hash.GetHashAndReset());

        public override void Flush() => to.Flush();

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _hash.AppendData(buffer);
            to.Write(buffer);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                _hash.Dispose();
            base.Dispose(disposing);
        }
    }
}
