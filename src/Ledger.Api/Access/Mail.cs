using System.Net;
using System.Net.Mail;
using System.Text;
using System.Threading.Channels;
using Ledger.Api.Application;
using Ledger.Api.Hosting;
using Ledger.EventStore;

namespace Ledger.Api.Access;

/// <summary>Where mail goes, section <c>Mail</c> of the configuration.</summary>
public sealed class MailOptions
{
    /// <summary>Whom mail comes from.</summary>
    public string Sender { get; set; } = "ledger@localhost";

    /// <summary>The SMTP server; where it is not set, mail is written into the data folder as <c>.eml</c> files.</summary>
    public string? SmtpHost { get; set; }

    /// <summary>Its port.</summary>
    public int SmtpPort { get; set; } = 587;

    /// <summary>Whether the connection must be encrypted (STARTTLS).</summary>
    public bool SmtpTls { get; set; } = true;

    /// <summary>The user; none where it is not set.</summary>
    public string? SmtpUser { get; set; }

    /// <summary>The user's password.</summary>
    public string? SmtpPassword { get; set; }

    /// <summary>Reads the settings.</summary>
    /// <exception cref="SettingsException">One of them cannot be used; the message names it.</exception>
    public static MailOptions From(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        MailOptions options;
        try
        {
            options = configuration.GetSection("Mail").Get<MailOptions>() ?? new();
        }
        catch (InvalidOperationException e)
        {
            throw new SettingsException(e.Message, e);
        }

        if (!MailAddress.TryCreate(options.Sender, out _))
            throw new SettingsException("Mail:Sender must be an e-mail address.");
        if (options.SmtpPort is < 1 or > 65535)
            throw new SettingsException("Mail:SmtpPort must be from 1 to 65535.");
        return options;
    }
}

/// <summary>A letter.</summary>
/// <param name="To">The address.</param>
/// <param name="Subject">One line.</param>
/// <param name="Text">The text.</param>
/// <param name="Id">By what a letter that comes twice is known as one; null where that does not matter.</param>
public sealed record Letter(string To, string Subject, string Text, Guid? Id = null);

/// <summary>
/// Sends mail: at once, for whoever looks to it that it gets through; or behind the request that asked for it, so that how long it takes tells nothing.
/// Of the latter, what could not be sent is tried again for a while, and a crash loses what was not sent yet: whoever waits for a code asks for another.
/// </summary>
public sealed partial class Mailer(MailOptions options, LedgerDatabase database, TimeProvider time, ILogger<Mailer> logger)
    : BackgroundService
{
    private const int Attempts = 4;
    private const int AtOnce = 8;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly Channel<Func<CancellationToken, Task<Letter?>>> _letters = Channel.CreateBounded<
        Func<CancellationToken, Task<Letter?>>
    >(new BoundedChannelOptions(1000) { SingleReader = true });
    private long _count;

    /// <summary>Takes a letter, which is written when its turn comes (null where there is nothing to send), unless a thousand wait already.</summary>
    public bool Post(Func<CancellationToken, Task<Letter?>> write) => _letters.Writer.TryWrite(write);

    /// <summary>Sends a letter now: returns when it was taken, and throws where it was not.</summary>
    /// <exception cref="TimeoutException">The mail server has said nothing for half a minute.</exception>
    public Task SendAsync(Letter letter, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(letter);
        return options.SmtpHost is { Length: > 0 } host ? SendAsync(host, letter, ct) : WriteAsync(letter, ct);
    }

    /// <summary>Whether a letter that could not be sent may get through later, unchanged.</summary>
    public static bool MayPass(Exception fault) =>
        fault is (SmtpException and not SmtpFailedRecipientException) or IOException or UnauthorizedAccessException || Outage.Is(fault);

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        // What was taken is sent, as far as there is time.
        _letters.Writer.TryComplete();
        if (ExecuteTask is { } sending)
            await Task.WhenAny(sending, Task.Delay(TimeSpan.FromSeconds(5), time, cancellationToken));
        await base.StopAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            // Several at a time: one that does not get through holds up nobody else.
            await Parallel.ForEachAsync(
                _letters.Reader.ReadAllAsync(stoppingToken),
                new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = stoppingToken },
                async (write, ct) => await WorkAsync(write, ct)
            );
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private async Task WorkAsync(Func<CancellationToken, Task<Letter?>> write, CancellationToken ct)
    {
        Letter? letter = null;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                letter ??= await write(ct);
                if (letter is null)
                    return;
                await SendAsync(letter, ct);
                return;
            }
            catch (Exception fault) when (fault is not OperationCanceledException)
            {
                // Neither whom it is for nor what it says belongs into a log. What will not become better is not tried again.
                LogFault(logger, attempt, fault);
                if (!MayPass(fault) || attempt == Attempts)
                    return;
            }

            await Task.Delay(TimeSpan.FromSeconds(Math.Pow(4, attempt - 1)), time, ct);
        }
    }

    private async Task SendAsync(string host, Letter letter, CancellationToken ct)
    {
        using var client = new SmtpClient(host, options.SmtpPort) { EnableSsl = options.SmtpTls };
        if (options.SmtpUser is { Length: > 0 } user)
            client.Credentials = new NetworkCredential(user, options.SmtpPassword);
        using var message = new MailMessage(options.Sender, letter.To, letter.Subject, letter.Text) { BodyEncoding = Encoding.UTF8 };
        if (letter.Id is { } id)
            message.Headers.Add("Message-ID", MessageId(id));

        // The client's own time-out does not hold for this way of sending.
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, ct);
        try
        {
            await client.SendMailAsync(message, either.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new TimeoutException($"The mail server has said nothing for {Patience.TotalSeconds} s.");
        }
    }

    private string MessageId(Guid id) => $"<{id:N}@{new MailAddress(options.Sender).Host}>";

    /// <summary>A file per letter, in the order of sending, as RFC 5322 wants it.</summary>
    private Task WriteAsync(Letter letter, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var name = string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"{now.UtcDateTime:yyyyMMdd'T'HHmmssffffff}-{Interlocked.Increment(ref _count):D6}.eml"
        );
        var text =
            $"From: {options.Sender}\r\nTo: {letter.To}\r\nSubject: {letter.Subject}\r\nDate: {now:R}\r\n"
            + (letter.Id is { } id ? $"Message-ID: {MessageId(id)}\r\n" : "")
            + "MIME-Version: 1.0\r\n"
            + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            + letter.Text.ReplaceLineEndings("\r\n")
            + "\r\n";
        return PrivateFile.WriteAsync(Path.Combine(database.DataFolder, "mail", name), Encoding.UTF8.GetBytes(text), ct);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A letter could not be sent, attempt {Attempt} of 4.")]
    private static partial void LogFault(ILogger logger, int attempt, Exception fault);
}
