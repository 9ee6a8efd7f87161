using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.Json;
using Ledger.Api.Application;
using Ledger.Api.Hosting;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Ledger.Testing;

/// <summary>An account made for a test.</summary>
/// <param name="Id">The account.</param>
/// <param name="KeyId">Its first key.</param>
/// <param name="Key">That key's secret.</param>
public sealed record TestAccount(AccountId Id, KeyId KeyId, string Key);

/// <summary>
/// The real application on ASP.NET Core's own test host, on a real database of its own, with a clock that stands still. What tests need
/// besides HTTP goes straight to <see cref="LedgerService"/>, so that one dialect's test needs no other dialect.
/// </summary>
public sealed class LedgerApp : LedgerClient, IAsyncDisposable
{
    /// <summary>The operator's key of every test application.</summary>
    public const string AdminKey = "ledger_admin_of_the_tests";

    private static readonly Caller Tests = new("operator", "tests");
    private readonly Host _host;
    private readonly TestFolder _folder;
    private readonly IReadOnlyDictionary<string, string> _settings;
    private readonly bool _onKestrel;
    private int _made;
    private bool _stopped;

    private LedgerApp(
        Host host,
        TestFolder folder,
        string database,
        FixedClock clock,
        IReadOnlyDictionary<string, string> settings,
        bool onKestrel
    )
        : base(onKestrel ? host.CreateClient() : host.CreateClient(new() { HandleCookies = false, AllowAutoRedirect = false }))
    {
        (_host, _folder, _settings, _onKestrel) = (host, folder, settings, onKestrel);
        (Database, Clock) = (database, clock);
    }

    /// <summary>Connects to its database.</summary>
    public string Database { get; }

    /// <summary>Its clock.</summary>
    public FixedClock Clock { get; }

    /// <summary>Its parts.</summary>
    public IServiceProvider Services => _host.Services;

    /// <summary>Its data folder.</summary>
    public string DataFolder => _folder.Data;

    /// <summary>Starts one and waits until it is ready.</summary>
    /// <param name="database">Its database; a new one where null. Two applications may share one.</param>
    /// <param name="clock">Its clock; a new one where null.</param>
    /// <param name="onKestrel">Whether it listens on a real port instead of in memory: for limits that only the server itself knows, and for load.</param>
    /// <param name="settings">Configuration beside the usual, such as <c>Ledger:QueueCapacity</c>.</param>
    /// <param name="mustBeReady">Whether one that is not ready is a failure.</param>
    /// <param name="nodeClock">The clock that readiness compares with the database's; the machine's where null.</param>
    /// <exception cref="TimeoutException">It did not become ready; the message is its reason.</exception>
    public static async Task<LedgerApp> StartAsync(
        string? database = null,
        FixedClock? clock = null,
        bool onKestrel = false,
        IReadOnlyDictionary<string, string>? settings = null,
        bool mustBeReady = true,
        TimeProvider? nodeClock = null
    )
    {
        database ??= await new PostgresFixture().CreateDatabaseAsync();
        clock ??= new();
        settings ??= new Dictionary<string, string>();
        var folder = TestFolder.Create();
        var host = new Host(
            new Dictionary<string, string>
            {
                ["ConnectionStrings:Ledger"] = database,
                ["Ledger:Data"] = folder.Data,
                ["Ledger:AdminKey"] = AdminKey,

                // What lapses is journalled when a test says so.
                ["Ledger:SweepInterval"] = "00:00:00",
                ["Ledger:DriftInterval"] = "00:00:00",
                ["Ledger:CheckpointInterval"] = "00:00:00",
                ["Ledger:JournalInterval"] = "00:00:00",
                ["Ledger:KeyUseInterval"] = "1.00:00:00",
                ["Ledger:RefusalInterval"] = "1.00:00:00",
                ["Gateway:HoldInterval"] = "00:00:00",

                // And so is whatever accounts are told.
                ["Notifications:Interval"] = "00:00:00",
            }.Concat(settings),
            clock,
            nodeClock ?? TimeProvider.System
        );
        if (onKestrel)
            host.UseKestrel(0);
        var app = new LedgerApp(host, folder, database, clock, settings, onKestrel);
        var ready = await app.GetAsync("/health/ready");
        if (!mustBeReady)
            return app;
        try
        {
            // A busy machine may need more than one attempt to reach its database, as in production.
            await Eventually.IsSoAsync(
                async () => ready.Status == 200 || (ready = await app.GetAsync("/health/ready")).Status == 200,
                () => ready.ToString()
            );
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        return app;
    }

    /// <summary>
    /// Sends a request on a connection of its own, whose body waits for the server's word, however long that takes: whoever sends before the word is there may find
    /// the connection closed, and never read why.
    /// </summary>
    /// <param name="request">The request; it should expect to continue.</param>
    public async Task<Answer> AskFirstAsync(HttpRequestMessage request)
    {
        using var patient = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromMinutes(1) })
        {
            BaseAddress = Http.BaseAddress,
        };
        return await new LedgerClient(patient).SendAsync(request);
    }

    /// <summary>Stops it and starts another on the same database with the same clock: nothing is left of what it had in memory.</summary>
    public async Task<LedgerApp> RestartAsync()
    {
        await DisposeAsync();
        return await StartAsync(Database, Clock, _onKestrel, _settings);
    }

    /// <summary>Opens an account with credits that never expire and one inference key.</summary>
    /// <param name="credits">Whole credits.</param>
    /// <param name="kind">The key's kind.</param>
    /// <param name="limit">The most the key may ever be charged, in whole credits.</param>
    /// <param name="reset">When that limit starts anew.</param>
    /// <param name="expiresAt">When the key stops working.</param>
    public async Task<TestAccount> OpenAccountAsync(
        long credits = 0,
        KeyKind kind = KeyKind.Inference,
        long? limit = null,
        LimitReset reset = LimitReset.None,
        DateTimeOffset? expiresAt = null
    )
    {
        var id = new AccountId(NextId("acc"));
        await ExecuteAsync(new OpenAccount(id, null));
        if (credits > 0)
            await GrantAsync(id, Amount.Credits(credits));
        var (key, secret) = await CreateKeyAsync(id, kind, limit, reset, expiresAt);
        return new(id, key, secret);
    }

    /// <summary>Grants funds.</summary>
    public Task<Verdict> GrantAsync(
        AccountId account,
        Amount amount,
        PocketSource source = PocketSource.Payg,
        string? scope = null,
        DateTimeOffset? expiresAt = null
    ) => ExecuteAsync(new GrantCredits(account, amount, source, scope, expiresAt, "test", NextId("pay"), "A test"));

    /// <summary>Creates another key; <paramref name="change"/> may make it another than the usual one.</summary>
    public async Task<(KeyId Key, string Secret)> CreateKeyAsync(
        AccountId account,
        KeyKind kind = KeyKind.Inference,
        long? limit = null,
        LimitReset reset = LimitReset.None,
        DateTimeOffset? expiresAt = null,
        Func<CreateKey, CreateKey>? change = null
    )
    {
        var secret = KeySecret.Create("lk");
        var key = new KeyId(NextId("key"));
        var command = new CreateKey(
            account,
            key,
            "Test",
            kind,
            KeyBilling.PayPerToken,
            null,
            secret.Hash.ToString(),
            secret.Prefix,
            secret.LastFour,
            limit is { } credits ? Amount.Credits(credits) : null,
            null,
            reset,
            [],
            null,
            expiresAt
        );
        await ExecuteAsync(change is null ? command : change(command));
        return (key, secret.Text);
    }

    /// <summary>Revokes a key.</summary>
    public Task<Verdict> RevokeAsync(TestAccount account) => ExecuteAsync(new RevokeKey(account.Id, account.KeyId, "A test"));

    /// <summary>Suspends an account.</summary>
    public Task<Verdict> SuspendAsync(AccountId account) =>
        ExecuteAsync(new SuspendAccount(account, EventIds.Request(account, NextId("req")), "A test"));

    /// <summary>Ends a suspension.</summary>
    public Task<Verdict> ReinstateAsync(AccountId account) =>
        ExecuteAsync(new ReinstateAccount(account, EventIds.Request(account, NextId("req")), "A test"));

    /// <summary>Publishes the default rate card with a price changed.</summary>
    /// <param name="tool">A tool, not a service.</param>
    /// <param name="credits">Its new price per unit.</param>
    public Task<RateCard> PublishPriceAsync(string tool, string credits) =>
        PublishAsync(card =>
            card with
            {
                Tools = [.. card.Tools.Select(entry => entry.Name == tool ? entry with { Credits = Quantity.Parse(credits) } : entry)],
            }
        );

    /// <summary>Publishes the default rate card with anything changed.</summary>
    public async Task<RateCard> PublishAsync(Func<RateCardDocument, RateCardDocument> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        var written = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "rate-card.json"));
        var document = JsonSerializer.Deserialize(written, RateCardJson.Default.RateCardDocument)!;
        var text = JsonSerializer.Serialize(change(document), RateCardJson.Default.RateCardDocument);
        var (card, refusal) = await Services.GetRequiredService<RateCards>().PublishAsync(new(text, null), Tests, CancellationToken.None);
        return card ?? throw new InvalidOperationException($"The rate card was refused with {refusal}.");
    }

    /// <summary>Sends a command that must not be refused.</summary>
    /// <exception cref="InvalidOperationException">It was refused.</exception>
    public async Task<Verdict> ExecuteAsync(AccountCommand command)
    {
        var verdict = await Services.GetRequiredService<LedgerService>().ExecuteAsync(command, Tests);
        return verdict.Refusal is null ? verdict : throw new InvalidOperationException($"{command} was refused with {verdict.Refusal}.");
    }

    /// <summary>The account as it is committed now.</summary>
    public async Task<Account> ReadAsync(AccountId account) =>
        (await Services.GetRequiredService<LedgerService>().ReadAsync(account)).Account;

    /// <summary>Unscoped credits that are available now, in whole credits.</summary>
    public async Task<long> AvailableAsync(AccountId account) =>
        (await ReadAsync(account)).LapsedAt(Clock.Now).Wallet.Available(Unit.Credits, Clock.Now).WholeFloor();

    /// <summary>The whole history of an account, as it is stored.</summary>
    public Task<IReadOnlyList<StoredEvent>> EventsAsync(AccountId account) =>
        Services.GetRequiredService<IEventLog>().ReadStreamAsync(account.StreamId, 0, 100_000, CancellationToken.None);

    /// <summary>What an account has and what has happened to it, in two numbers: equal before and after wherever nothing may have changed.</summary>
    public async Task<(long Available, int Events)> StandingAsync(AccountId account) =>
        (await AvailableAsync(account), (await EventsAsync(account)).Count);

    /// <summary>How many commands wait, as the application itself measures it.</summary>
    public int QueueDepth()
    {
        var depth = -1;
        var meters = Services.GetRequiredService<IMeterFactory>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "ledger.queue.depth" && ReferenceEquals(instrument.Meter.Scope, meters))
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<int>((_, measured, _, _) => depth = measured);
        listener.Start();
        listener.RecordObservableInstruments();
        return depth;
    }

    /// <summary>Asks the database for one value.</summary>
    public async Task<object?> QueryAsync(string sql)
    {
        await using var command = Services.GetRequiredService<NpgsqlDataSource>().CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // Whoever restarts one has stopped it already.
        if (Interlocked.Exchange(ref _stopped, true))
            return;
        Http.Dispose();
        await _host.DisposeAsync();
        await _folder.DisposeAsync();
    }

    // The same in every run; 16 characters, as ids have.
    private string NextId(string kind) =>
        string.Create(CultureInfo.InvariantCulture, $"{kind}{Interlocked.Increment(ref _made):0000000000000}");

    private sealed class Host(IEnumerable<KeyValuePair<string, string>> settings, FixedClock clock, TimeProvider nodeClock)
        : WebApplicationFactory<Program>
    {
        protected override void ConfigureWebHost(IWebHostBuilder builder)
        {
            builder.UseEnvironment("Production").UseContentRoot(AppContext.BaseDirectory);
            foreach (var (name, value) in settings)
                builder.UseSetting(name, value);
            builder.ConfigureLogging(logging => logging.ClearProviders());
            builder.ConfigureTestServices(services =>
            {
                services.Replace(ServiceDescriptor.Singleton<TimeProvider>(clock));

                // A clock that stands still would be called wrong beside the database's.
                services.Replace(
                    ServiceDescriptor.Singleton(provider => new Readiness(
                        provider.GetRequiredService<IEventLog>(),
                        provider.GetRequiredService<NpgsqlDataSource>(),
                        provider.GetRequiredService<LedgerService>(),
                        provider.GetRequiredService<LedgerMetrics>(),
                        nodeClock
                    ))
                );
            });
        }
    }
}
