using System.IO.Compression;
using System.Security.Cryptography;

namespace Ledger.EventStore.Transfer;

/// <summary>
/// Reads one part of an export, and finds out whether it is what the manifest says: whatever is not is told with the file and the line, counted from 1.
/// </summary>
internal sealed class PartReader : IDisposable
{
    private const int Block = 1 << 18;

    // No event is anywhere near; what has no end is damaged.
    private const int MaxLine = 1 << 28;

    private readonly string _folder;
    private readonly ExportPart _part;
    private readonly LineFormat _format;
    private readonly FileStream _file;
    private readonly HashedFile _hashed;
    private readonly Stream _body;
    private readonly IncrementalHash _lines = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly ByteBuffer _bytes = new(2 * Block);
    private readonly byte[] _block = new byte[Block];
    private int _start;
    private long _events;
    private long _last;
    private uint _check;
    private bool _isAtEnd;

    /// <exception cref="TransferException">There is no such file.</exception>
    public PartReader(string folder, ExportPart part, LineFormat format)
    {
        (_folder, _part, _format) = (folder, part, format);
        try
        {
            _file = new(Path.Combine(folder, part.File), FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TransferException($"{Path.Combine(folder, part.File)} cannot be read: {e.Message}");
        }

        _hashed = new(_file);
        _body = format.IsCompressed ? new GZipStream(_hashed, CompressionMode.Decompress, leaveOpen: true) : _hashed;
    }

    /// <summary>The line that was read last, from 1.</summary>
    public long Line { get; private set; }

    /// <summary>The next event; it is valid until the next is asked for.</summary>
    /// <returns>False at the end, once all of the part was found to be what the manifest says.</returns>
    /// <exception cref="TransferException">Something is not.</exception>
    public bool TryRead(out EventRow row)
    {
        row = default;
        try
        {
            while (Line < _format.HeadLines)
            {
                if (!NextLine(out var head))
                    throw new LineException("it is missing");
                _format.ReadHead(head.Span);
            }

            if (!NextLine(out var line))
            {
                End();
                return false;
            }

            row = _format.Read(line, ref _check);
            if (row.Position <= _last || row.Position < _part.First || row.Position > _part.Last)
                throw new LineException($"its position {row.Position} is not one that may stand here");
            if (++_events > _part.Events)
                throw new LineException($"the manifest says that the part has {_part.Events} events");
            _last = row.Position;
            return true;
        }
        catch (LineException e)
        {
            throw Fault(e.Message);
        }
        catch (InvalidDataException)
        {
            Line++;
            throw Fault("what is compressed there is damaged or cut short");
        }
        catch (IOException e)
        {
            Line++;
            throw Fault($"it cannot be read: {e.Message}");
        }
    }

    /// <summary>What is wrong with the line that was read last.</summary>
    public TransferException Fault(string why) => new($"{Path.Combine(_folder, _part.File)} line {Line}: {why}. Nothing was changed.");

    public void Dispose()
    {
        if (_body != _hashed)
            _body.Dispose();
        _hashed.Dispose();
        _file.Dispose();
        _lines.Dispose();
    }

    private bool NextLine(out ReadOnlyMemory<byte> line)
    {
        while (true)
        {
            var rest = _bytes.Span[_start..];
            var end = _format.EndOfLine(rest);
            if (end >= 0)
            {
                Line++;
                line = _bytes.Memory.Slice(_start, end);
                _start += end + 1;
                return true;
            }

            if (_isAtEnd)
            {
                line = default;
                if (rest.IsEmpty)
                    return false;
                Line++;
                throw new LineException("it does not end: the file was cut short");
            }

            if (rest.Length > MaxLine)
            {
                Line++;
                throw new LineException("it does not end");
            }

            _bytes.Remove(_start);
            _start = 0;
            var read = _body.Read(_block);
            _isAtEnd = read == 0;
            _lines.AppendData(_block, 0, read);
            _bytes.Write(_block.AsSpan(0, read));
        }
    }

    private void End()
    {
        Line++;
        if (_events != _part.Events || _last != _part.Last)
            throw new LineException(
                $"it is missing: the manifest says that the part has {_part.Events} events, up to position {_part.Last}"
            );
        Line--;
        if (Convert.ToHexStringLower(_lines.GetHashAndReset()) != _part.LinesSha256)
            throw new TransferException(
                $"{Path.Combine(_folder, _part.File)}: its {Line} lines are not those that the manifest means. Nothing was changed."
            );
        if (_hashed.End() != (_part.Bytes, _part.Sha256))
            throw new TransferException(
                $"{Path.Combine(_folder, _part.File)}: behind line {Line}, or between its compressed blocks, it is not what was exported. Nothing was changed."
            );
    }

    /// <summary>Hashes what is read through it.</summary>
    private sealed class HashedFile(FileStream file) : Stream
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private long _bytes;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        /// <summary>Reads what nobody has asked for, and tells how much all of it was, and its hash.</summary>
        public (long Bytes, string Sha256) End()
        {
            var rest = new byte[1 << 14];
            while (Read(rest) > 0) { }
            return (_bytes, Convert.ToHexStringLower(_hash.GetHashAndReset()));
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            var read = file.Read(buffer);
            _hash.AppendData(buffer[..read]);
            _bytes += read;
            return read;
        }

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                _hash.Dispose();
            base.Dispose(disposing);
        }
    }
}
