using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Ledger.Faults.Machine;

/// <summary>
/// What stands between one server and PostgreSQL: it passes everything on, until it is told to cut, swallow, stall, delay or refuse. It tells
/// writers' connections from others by the name that they give themselves.
/// </summary>
internal sealed class Proxy : IAsyncDisposable
{
    private readonly string _socket;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Lock _lock = new();
    private readonly HashSet<Link> _links = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private TaskCompletionSource? _stall;
    private TimeSpan _delay;
    private bool _refuses;
    private long _cutAfter = -1;
    private bool _cutUpwards;
    private bool _swallows;
    private bool _refusesThen;
    private TaskCompletionSource? _swallowed;

    public Proxy(string socket)
    {
        _socket = socket;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = Task.Run(AcceptAsync);
    }

    /// <summary>Where it listens, on the loopback address.</summary>
    public int Port { get; }

    /// <summary>Resets every connection.</summary>
    public void Cut()
    {
        foreach (var link in Links())
            link.Reset();
    }

    /// <summary>Resets every connection and each new one, until told otherwise.</summary>
    public void Refuse(bool refuses)
    {
        lock (_lock)
            _refuses = refuses;
        if (refuses)
            Cut();
    }

    /// <summary>Lets the next writer be cut after so many bytes more.</summary>
    public void CutAfter(long bytes, bool upwards)
    {
        lock (_lock)
            (_cutAfter, _cutUpwards) = (bytes, upwards);
    }

    /// <summary>Lets the next answer to a writer be swallowed, and its connection reset.</summary>
    /// <param name="thenRefuses">Whether connections are refused from that moment on.</param>
    /// <returns>Comes when it has been.</returns>
    public Task SwallowAnswer(bool thenRefuses = false)
    {
        lock (_lock)
        {
            (_swallows, _refusesThen) = (true, thenRefuses);
            _swallowed = new(TaskCreationOptions.RunContinuationsAsynchronously);
            return _swallowed.Task;
        }
    }

    /// <summary>Holds back everything, until told otherwise.</summary>
    public void Stall(bool stalls)
    {
        lock (_lock)
        {
            if (!stalls)
                _stall?.TrySetResult();
            _stall = stalls ? _stall ?? new(TaskCreationOptions.RunContinuationsAsynchronously) : null;
        }
    }

    /// <summary>Makes everything late by so much; zero for not at all.</summary>
    public void Delay(TimeSpan by)
    {
        lock (_lock)
            _delay = by;
    }

    /// <summary>Passes everything on from now on, what was armed and has not struck included.</summary>
    public void Heal()
    {
        Stall(false);
        lock (_lock)
            (_delay, _refuses, _cutAfter, _swallows) = (TimeSpan.Zero, false, -1, false);
    }

    public async ValueTask DisposeAsync()
    {
        Heal();
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        Cut();
        _stop.Dispose();
    }

    private List<Link> Links()
    {
        lock (_lock)
            return [.. _links];
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptSocketAsync(_stop.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }

            _ = Task.Run(() => ServeAsync(client));
        }
    }

    private async Task ServeAsync(Socket client)
    {
        client.NoDelay = true;
        var server = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        var link = new Link(client, server);
        bool refuses;
        lock (_lock)
        {
            refuses = _refuses;
            _links.Add(link);
        }

        try
        {
            if (!refuses)
            {
                await server.ConnectAsync(new UnixDomainSocketEndPoint(_socket));
                await Task.WhenAny(PumpAsync(link, upwards: true), PumpAsync(link, upwards: false));
            }
        }
        catch (SocketException)
        {
            // PostgreSQL is not there; the client sees a reset.
        }
        finally
        {
            link.Reset();
            lock (_lock)
                _links.Remove(link);
        }
    }

    /// <summary>Whether an answer says that a statement was carried out, as opposed to having been prepared.</summary>
    private static bool HasDone(ReadOnlySpan<byte> answer)
    {
        // Each message: its kind, and its length without that byte.
        while (answer.Length >= 5)
        {
            if (answer[0] == (byte)'C')
                return true;
            var length = 1 + BinaryPrimitives.ReadInt32BigEndian(answer[1..]);
            if (length < 5 || length > answer.Length)
                return false;
            answer = answer[length..];
        }

        return false;
    }

    private async Task PumpAsync(Link link, bool upwards)
    {
        var (from, to) = upwards ? (link.Client, link.Server) : (link.Server, link.Client);
        var buffer = new byte[16 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer) is > 0 and var count)
            {
                if (upwards && !link.IsKnown)
                    link.Meet(buffer.AsSpan(0, count));
                var passes = count;
                var cuts = false;
                Task? stall;
                TimeSpan delay;
                lock (_lock)
                {
                    (stall, delay) = (_stall?.Task, _delay);
                    if (link.IsWriter)
                    {
                        if (_cutAfter >= 0 && _cutUpwards == upwards)
                        {
                            cuts = count > _cutAfter;
                            passes = cuts ? (int)_cutAfter : count;
                            _cutAfter = cuts ? -1 : _cutAfter - count;
                        }

                        if (upwards)
                        {
                            link.Asked = _swallows;
                        }
                        else if (_swallows && link.Asked && HasDone(buffer.AsSpan(0, count)))
                        {
                            // What was asked after it was armed has been done: PostgreSQL answers after the commit.
                            (_swallows, cuts, passes) = (false, true, 0);
                            _refuses |= _refusesThen;
                            _swallowed!.TrySetResult();
                        }
                    }
                }

                if (stall is not null)
                    await stall;
                if (delay > TimeSpan.Zero)
                    await Task.Delay(delay);
                for (var sent = 0; sent < passes; )
                    sent += await to.SendAsync(buffer.AsMemory(sent, passes - sent));
                if (cuts)
                    return;
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // One side is gone, and so the other goes.
        }
    }

    private sealed class Link(Socket client, Socket server)
    {
        public Socket Client => client;

        public Socket Server => server;

        public bool IsKnown { get; private set; }

        public bool IsWriter { get; private set; }

        public bool Asked { get; set; }

        /// <summary>Reads the first message, in which the client says its name.</summary>
        public void Meet(ReadOnlySpan<byte> first)
        {
            IsKnown = true;
            IsWriter = first.IndexOf("ledger-writer"u8) >= 0;
        }

        public void Reset()
        {
            foreach (var socket in (Socket[])[client, server])
            {
                try
                {
                    if (socket.AddressFamily == AddressFamily.InterNetwork)
                        socket.LingerState = new LingerOption(true, 0);
                }
                catch (Exception e) when (e is SocketException or ObjectDisposedException)
                {
                    // Closed already.
                }

                socket.Dispose();
            }
        }
    }
}
