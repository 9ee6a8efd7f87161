using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Ledger.Testing;

/// <summary>A mail server on a port of its own, as RFC 5321 wants it at the least: it keeps what it gets and answers as it is told.</summary>
public sealed class MailServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopped = new();
    private readonly ConcurrentQueue<string> _letters = new();
    private readonly Task _serving;
    private bool _isStopped;

    private MailServer()
    {
        _listener.Start();
        _serving = ServeAsync();
    }

    /// <summary>What it says to a recipient.</summary>
    public string Recipient { get; set; } = "250 ok";

    /// <summary>The letters that it has taken, with their headers.</summary>
    public IReadOnlyList<string> Letters => [.. _letters];

    /// <summary>Its port.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Starts one.</summary>
    public static MailServer Start() => new();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // A test may have stopped it already.
        if (Interlocked.Exchange(ref _isStopped, true))
            return;
        await _stopped.CancelAsync();
        _listener.Stop();
        await _serving;
        _stopped.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                using var client = await _listener.AcceptTcpClientAsync(_stopped.Token);
                await TalkAsync(client);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private async Task TalkAsync(TcpClient client)
    {
        using var reader = new StreamReader(client.GetStream(), Encoding.UTF8);
        await using var writer = new StreamWriter(client.GetStream(), new UTF8Encoding(false)) { AutoFlush = true, NewLine = "\r\n" };
        await writer.WriteLineAsync("220 here");
        while (await reader.ReadLineAsync(_stopped.Token) is { } line)
        {
            var word = line.Split(' ')[0].ToUpperInvariant();
            await writer.WriteLineAsync(
                word switch
                {
                    "RCPT" => Recipient,
                    "DATA" => "354 go on",
                    "QUIT" => "221 bye",
                    _ => "250 ok",
                }
            );
            if (word == "QUIT")
                return;
            if (word != "DATA")
                continue;
            var letter = new StringBuilder();
            while (await reader.ReadLineAsync(_stopped.Token) is { } text and not ".")
                letter.AppendLine(text);
            _letters.Enqueue(letter.ToString());
            await writer.WriteLineAsync("250 taken");
        }
    }
}
