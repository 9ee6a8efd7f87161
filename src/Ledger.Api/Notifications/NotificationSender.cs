using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.EventStore;
using Ledger.Projections.Accounts;
using Ledger.Projections.Notifications;
using Npgsql;

namespace Ledger.Api.Notifications;

/// <summary>
/// Sends what accounts are to be told: to each account and channel one after the other in the order of the log, to many of them at once; what fails again
/// and again, until it is given up. One node sends at a time. Whatever was sent and could not be marked as sent is sent again: at least once.
/// </summary>
public sealed partial class NotificationSender : BackgroundService
{
    /// <summary>How long it waits after each failed attempt; after one more, a delivery is dead.</summary>
    public static readonly IReadOnlyList<TimeSpan> Schedule =
    [
        TimeSpan.FromSeconds(5),
        TimeSpan.FromSeconds(30),
        TimeSpan.FromMinutes(2),
        TimeSpan.FromMinutes(10),
        TimeSpan.FromHours(1),
        TimeSpan.FromHours(3),
        TimeSpan.FromHours(6),
        TimeSpan.FromHours(12),
    ];

    /// <summary>
    /// What has waited this long is not tried again after it failed. Behind an address that is gone for good, everything waits for the first to be given up;
    /// it must not pile up for ever.
    /// </summary>
    public static readonly TimeSpan Patience = TimeSpan.FromDays(3);

    private const int Page = 200;
    private const int DeletedAtOnce = 5000;
    private static readonly long Turn = SessionLock.Of("notifications sender");
    private static readonly TimeSpan MaxRest = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan CountInterval = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan DeleteInterval = TimeSpan.FromHours(1);

    // What is under way when the server stops gets this long to be answered and marked; what is cut off is sent again.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly Deliveries _deliveries;
    private readonly NotificationTargets _targets;
    private readonly People _people;
    private readonly Mailer _mailer;
    private readonly WebhookClient _webhooks;
    private readonly Wakeup _wakeup;
    private readonly LedgerService _ledger;
    private readonly NpgsqlDataSource _database;
    private readonly LedgerMetrics _metrics;
    private readonly NotificationOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<NotificationSender> _logger;
    private long? _countedAt;
    private DateTimeOffset? _deletedAt;

    /// <summary>Makes one.</summary>
    public NotificationSender(IServiceProvider services, ILogger<NotificationSender> logger)
    {
        _deliveries = services.GetRequiredService<Deliveries>();
        _targets = services.GetRequiredService<NotificationTargets>();
        _people = services.GetRequiredService<People>();
        _mailer = services.GetRequiredService<Mailer>();
        _webhooks = services.GetRequiredService<WebhookClient>();
        _wakeup = services.GetRequiredService<Wakeup>();
        _ledger = services.GetRequiredService<LedgerService>();
        _database = services.GetRequiredService<NpgsqlDataSource>();
        _metrics = services.GetRequiredService<LedgerMetrics>();
        _options = services.GetRequiredService<NotificationOptions>();
        _time = services.GetRequiredService<TimeProvider>();
        _logger = logger;
    }

    /// <summary>Sends all that is due, and what becomes due meanwhile, where no other node does. Ends when nothing is due or under way.</summary>
    /// <returns>How often something was sent.</returns>
    public async Task<int> PassAsync(CancellationToken ct)
    {
        _wakeup.Reset();
        await using var turn = await SessionLock.TryTakeAsync(_database, Turn, ct);
        if (turn is null)
        {
            _metrics.Delivering(null);
            return 0;
        }

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var cut = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _time);
        await using var stopping = ct.UnsafeRegister(static state => ((CancellationTokenSource)state!).CancelAfter(Grace), cut);
        var lines = new Lines();
        try
        {
            var place = DeliveryPlace.Start;
            var isRoundIdle = true;
            while (true)
            {
                ct.ThrowIfCancellationRequested();

                // Before it is looked for work, so that what is rung for later is not missed.
                if (place == DeliveryPlace.Start)
                    _wakeup.Reset();

                // Whoever has lost the turn begins nothing any more: another node may be sending already.
                await turn.CheckAsync(ct);
                await UpkeepAsync(ct);
                var due = await _deliveries.DueAsync(LedgerTime.Now(_time), place, Page, ct);

                // Only now: whose line ended since then was read as it was before.
                var free = due.Where(head => !lines.IsBusy(head)).ToList();
                foreach (var head in free)
                {
                    while (lines.Count >= _options.Parallel)
                    {
                        await lines.AnyAsync(ct);
                        await turn.CheckAsync(ct);
                    }

                    // Those that fail time and again do not take all the room.
                    if (head.Attempts > 0 && lines.Retries >= Math.Max(_options.Parallel / 2, 1))
                        continue;
                    lines.Start(head, LineAsync(head, ending.Token, cut.Token));
                    isRoundIdle = false;
                }

                if (due.Count == Page)
                {
                    place = DeliveryPlace.After(due[^1]);
                    continue;
                }

                // The round is over. The next one begins at once where this one has begun something: there may be more behind it.
                place = DeliveryPlace.Start;
                if (!isRoundIdle)
                {
                    isRoundIdle = true;
                    continue;
                }

                if (lines.Count == 0)
                    return lines.Attempts;
                await lines.AnyAsync(_wakeup.Rung, Rest(0), _time, ct);
            }
        }
        finally
        {
            await ending.CancelAsync();
            await lines.AllAsync();
        }
    }

    /// <summary>Tells the metrics what there is to do.</summary>
    public async Task CountAsync(CancellationToken ct) => _metrics.Delivering(await _deliveries.CountAsync(ct));

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_options.Interval <= TimeSpan.Zero)
            return;
        var failures = 0;
        try
        {
            while (true)
            {
                _wakeup.Reset();
                try
                {
                    if (_ledger.IsRunning)
                        await PassAsync(stoppingToken);
                    failures = 0;
                }
                catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
                {
                    // Whatever was not marked is due at the next pass too.
                    LogFault(_logger, fault);
                    failures++;
                }

                var rest = Task.Delay(Rest(failures), _time, stoppingToken);
                await (failures > 0 ? rest : await Task.WhenAny(_wakeup.Rung, rest));
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
        finally
        {
            _metrics.Delivering(null);
        }
    }

    private TimeSpan Rest(int failures)
    {
        var pause = _options.Interval > TimeSpan.Zero ? _options.Interval : TimeSpan.FromSeconds(1);
        var rest = pause * Math.Pow(2, Math.Min(failures, 10));
        return rest < MaxRest || failures == 0 ? rest : MaxRest;
    }

    /// <summary>Sends to one account and channel, one after the other, until nothing more is due there.</summary>
    /// <param name="head">The first.</param>
    /// <param name="ending">Begins nothing more.</param>
    /// <param name="ct">Gives up what is under way.</param>
    /// <returns>How often.</returns>
    private async Task<int> LineAsync(Delivery head, CancellationToken ending, CancellationToken ct)
    {
        var attempts = 0;
        for (var next = head; next is not null && next.NextAt <= LedgerTime.Now(_time); attempts++)
        {
            if (ending.IsCancellationRequested)
                break;
            var answer = await TryAsync(next, ct);
            var outcome = OutcomeOf(next, answer, LedgerTime.Now(_time));
            _metrics.Delivered(
                EventTypes.SnakeCase(next.Channel.ToString()),
                outcome.State == DeliveryState.Waiting ? "failed" : EventTypes.SnakeCase(outcome.State.ToString())
            );
            if (outcome.State == DeliveryState.Dead)
                LogDead(_logger, next.Id, next.Account.Value, outcome.Error);

            // Null also where another node has marked it meanwhile: then the line is its.
            next = await _deliveries.MarkAsync(next, outcome, ct);
        }

        return attempts;
    }

    private static DeliveryOutcome OutcomeOf(Delivery delivery, Answer answer, DateTimeOffset now)
    {
        if (answer.Error is null)
            return new(DeliveryState.Delivered, now, null, answer.Status, null);
        var isLast = answer.IsFinal || delivery.Attempts >= Schedule.Count || now - delivery.QueuedAt >= Patience;
        return isLast
            ? new(DeliveryState.Dead, now, null, answer.Status, answer.Error)
            : new(DeliveryState.Waiting, now, now + Schedule[delivery.Attempts], answer.Status, answer.Error);
    }

    private async Task<Answer> TryAsync(Delivery delivery, CancellationToken ct)
    {
        try
        {
            return delivery.Channel switch
            {
                DeliveryChannel.Webhook => await PostAsync(delivery, ct),
                DeliveryChannel.Email => await MailAsync(delivery, ct),
            };
        }
        catch (Exception fault) when (!Outage.Is(fault) && !ct.IsCancellationRequested)
        {
            // One account's trouble, such as a secret that cannot be read, must not keep all others from being told.
            LogTrouble(_logger, delivery.Id, delivery.Account.Value, fault);
            return new(null, $"{fault.GetType().Name}: {WebhookClient.OneLine(fault.Message)}", false);
        }
    }

    private async Task<Answer> PostAsync(Delivery delivery, CancellationToken ct)
    {
        if (await _targets.FindWebhookAsync(delivery.Account, ct) is not var (url, secret))
            return new(null, "the account has no address any more", true);
        var (status, error) = await _webhooks.PostAsync(url, secret, delivery, ct);
        return new(status, error, IsFinal: status == StatusCodes.Status410Gone);
    }

    private async Task<Answer> MailAsync(Delivery delivery, CancellationToken ct)
    {
        if (await _people.FindAsync(delivery.Account, ct) is not { } person)
            return new(null, "the account has no e-mail address", true);
        var end = delivery.Body.IndexOf('\n', StringComparison.Ordinal);
        var letter = new Letter(person.Email, delivery.Body[..end], delivery.Body[end..].Trim(), delivery.Id);
        try
        {
            await _mailer.SendAsync(letter, ct);
            return new(null, null, false);
        }
        catch (Exception fault) when (!ct.IsCancellationRequested)
        {
            // Without the address: personal data stays where it is.
            var error = WebhookClient.OneLine(fault.Message).Replace(person.Email, "…", StringComparison.OrdinalIgnoreCase);
            return new(null, error, IsFinal: !Mailer.MayPass(fault));
        }
    }

    private async Task UpkeepAsync(CancellationToken ct)
    {
        if (_countedAt is not { } counted || _time.GetElapsedTime(counted) >= CountInterval)
        {
            await CountAsync(ct);
            _countedAt = _time.GetTimestamp();
        }

        var now = _time.GetUtcNow();
        if (_deletedAt is { } deleted && now - deleted < DeleteInterval && now >= deleted)
            return;
        var before = now - TimeSpan.FromDays(_options.KeepDays);
        while (await _deliveries.DeleteDeliveredAsync(before, DeletedAtOnce, ct) == DeletedAtOnce)
            ct.ThrowIfCancellationRequested();
        _deletedAt = now;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Accounts could not be told what happened to them; the next pass goes on.")]
    private static partial void LogFault(ILogger logger, Exception fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Delivery {Delivery} to account {Account} could not be sent.")]
    private static partial void LogTrouble(ILogger logger, Guid delivery, string account, Exception fault);

    [LoggerMessage(Level = LogLevel.Information, Message = "Delivery {Delivery} to account {Account} was given up: {Error}")]
    private static partial void LogDead(ILogger logger, Guid delivery, string account, string? error);

    private readonly record struct Answer(int? Status, string? Error, bool IsFinal);

    /// <summary>What is being sent: one line for each account and channel.</summary>
    private sealed class Lines
    {
        private readonly Dictionary<(AccountId, DeliveryChannel), Line> _lines = [];

        public int Count => _lines.Count;

        public int Retries => _lines.Values.Count(line => line.IsRetry);

        /// <summary>How often something was sent, by the lines that have ended.</summary>
        public int Attempts { get; private set; }

        public bool IsBusy(Delivery head) => _lines.ContainsKey((head.Account, head.Channel));

        public void Start(Delivery head, Task<int> work) => _lines.Add((head.Account, head.Channel), new(work, IsRetry: head.Attempts > 0));

        /// <summary>Waits until a line ends, and removes those that have.</summary>
        public async Task AnyAsync(CancellationToken ct)
        {
            await Task.WhenAny(_lines.Values.Select(line => line.Work)).WaitAsync(ct);
            await ReapAsync();
        }

        /// <summary>The same; but not longer than until somebody rings, or for so long.</summary>
        public async Task AnyAsync(Task rung, TimeSpan atMost, TimeProvider time, CancellationToken ct)
        {
            using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
            await Task.WhenAny([rung, Task.Delay(atMost, time, over.Token), .. _lines.Values.Select(line => line.Work)]);
            await over.CancelAsync();
            ct.ThrowIfCancellationRequested();
            await ReapAsync();
        }

        /// <summary>Waits for all of them, however they end.</summary>
        public async Task AllAsync() =>
            await Task.WhenAll(_lines.Values.Select(Task (line) => line.Work)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        private async Task ReapAsync()
        {
            foreach (var (key, line) in _lines.Where(line => line.Value.Work.IsCompleted).ToList())
            {
                _lines.Remove(key);
                Attempts += await line.Work;
            }
        }

        private sealed record Line(Task<int> Work, bool IsRetry);
    }
}
