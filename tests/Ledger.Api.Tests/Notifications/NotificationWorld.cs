using Ledger.Api.Application.Readers;
using Ledger.Api.Notifications;
using Ledger.Domain;
using Ledger.Domain.Alerts;
using Ledger.Domain.Money;
using Ledger.EventStore;
using Ledger.Projections.Accounts;
using Ledger.Projections.Notifications;
using Ledger.Testing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Ledger.Api.Tests.Notifications;

/// <summary>An application that tells when a test says so, and a customer's server that listens.</summary>
internal sealed class NotificationWorld : IAsyncDisposable
{
    private int _asked;

    private NotificationWorld(LedgerApp app, Receiver receiver) => (App, Receiver) = (app, receiver);

    public LedgerApp App { get; private set; }

    public Receiver Receiver { get; }

    public NotificationTargets Targets => App.Services.GetRequiredService<NotificationTargets>();

    public NotificationSender Sender => App.Services.GetRequiredService<NotificationSender>();

    private NotificationFollower Follower => App.Services.GetServices<LogFollower>().OfType<NotificationFollower>().Single();

    public static async Task<NotificationWorld> CreateAsync(params (string Name, string Value)[] settings) =>
        new(
            await LedgerApp.StartAsync(
                settings: new Dictionary<string, string> { ["Notifications:AllowPrivateNetworks"] = "true" }
                    .Concat(settings.Select(setting => KeyValuePair.Create(setting.Name, setting.Value)))
                    .GroupBy(setting => setting.Key)
                    .ToDictionary(setting => setting.Key, setting => setting.Last().Value)
            ),
            await Receiver.StartAsync()
        );

    /// <summary>An account with credits that listens at a path of the receiver and is watched: warned at 50 credits, critical at 20.</summary>
    public async Task<TestAccount> OpenAsync(string path = "/hook", long credits = 60, string? email = null)
    {
        var account = await App.OpenAccountAsync(credits);
        await WatchAsync(account, 50, 20);
        if (email is not null)
            await App.Services.GetRequiredService<People>().AddAsync(new(account.Id, email, App.Clock.Now), null, CancellationToken.None);
        await Targets.SetAsync(account.Id, Receiver.Address + path, email is not null);
        return account;
    }

    public Task WatchAsync(TestAccount account, long? warning, long? critical) =>
        App.ExecuteAsync(
            new SetAlerts(
                account.Id,
                EventIds.Request(account.Id, $"ask-{_asked++}"),
                warning is { } w ? Amount.Credits(w) : null,
                critical is { } c ? Amount.Credits(c) : null
            )
        );

    /// <summary>Spends so many credits, five at a time.</summary>
    public async Task SpendAsync(TestAccount account, int credits) =>
        (
            await App.PostAsync(
                "/api/v1/tools/spend",
                account.Key,
                new
                {
                    tool = "chat",
                    units = credits / 5,
                    reference = $"spend-{_asked++}",
                }
            )
        ).ShouldBe(200);

    /// <summary>Reads the log to its end, as the reader host would.</summary>
    public async Task FollowAsync()
    {
        var follower = Follower;
        await using var turn = (
            await ReaderTurn.TryTakeAsync(
                App.Services.GetRequiredService<NpgsqlDataSource>(),
                follower.Name,
                follower.Types,
                CancellationToken.None
            )
        ).ShouldNotBeNull();
        do
        {
            var page = await turn.NextAsync(follower.Page, CancellationToken.None);
            await follower.HandleAsync(page, CancellationToken.None);
            await turn.SaveAsync(CancellationToken.None);
        } while (turn.MayHaveMore);
    }

    /// <summary>The same from the beginning of the log, as if the checkpoint had been lost.</summary>
    public async Task FollowAgainAsync()
    {
        await App.QueryAsync("delete from mt_event_progression where name = 'notifications'");
        await FollowAsync();
    }

    /// <summary>Sends what is due.</summary>
    /// <returns>How often something was sent.</returns>
    public Task<int> SendAsync() => Sender.PassAsync(CancellationToken.None);

    /// <summary>Reads the log, then sends what is due.</summary>
    public async Task<int> TellAsync()
    {
        await FollowAsync();
        return await SendAsync();
    }

    /// <summary>Every delivery of an account, in the order of the log.</summary>
    public async Task<IReadOnlyList<Delivery>> DeliveriesAsync(TestAccount account) =>
        [
            .. (
                await App.Services.GetRequiredService<Deliveries>().ListAsync(null, account.Id, null, 1000, CancellationToken.None)
            ).Reverse(),
        ];

    /// <summary>The types of what the receiver got at a path, in order.</summary>
    public string Told(string path = "/hook") => string.Join(' ', Receiver.At(path).Select(received => received.At("type")));

    /// <summary>The letters that were written.</summary>
    public async Task<IReadOnlyList<string>> LettersAsync()
    {
        var folder = Path.Combine(App.DataFolder, "mail");
        var letters = new List<string>();
        foreach (var file in Directory.Exists(folder) ? Directory.GetFiles(folder, "*.eml") : [])
            letters.Add(await File.ReadAllTextAsync(file));
        return letters;
    }

    public async Task RestartAsync() => App = await App.RestartAsync();

    public async ValueTask DisposeAsync()
    {
        await App.DisposeAsync();
        await Receiver.DisposeAsync();
    }
}
