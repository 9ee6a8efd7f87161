using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Ledger.Api.Tests.Docs;
using Ledger.Domain;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using Ledger.Testing;
using Ledger.Upstream;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Gateway.Clients;

/// <summary>The gateway on a real port before a stand-in provider, and the official clients to speak to it with.</summary>
/// <remarks>The gateway itself tries nothing again here, so that every repeat that is seen is a client's.</remarks>
public class ClientWorld : IAsyncLifetime
{
    /// <summary>What an account is given: a dollar.</summary>
    public const decimal Granted = 1;

    private GatewayApp _gateway = null!;

    /// <summary>The server.</summary>
    public LedgerApp App => _gateway.App;

    /// <summary>The provider.</summary>
    public StandInUpstream Upstream => _gateway.Upstream;

    /// <summary>Where the server is, without a slash at the end.</summary>
    public string Origin => App.Http.BaseAddress!.GetLeftPart(UriPartial.Authority);

    /// <summary>Configuration beside the usual.</summary>
    protected virtual Dictionary<string, string> Settings =>
        new() { ["Providers:openai:Retries"] = "0", ["Providers:anthropic:Retries"] = "0" };

    public async ValueTask InitializeAsync()
    {
        await Programs.InstallClientsAsync();
        _gateway = await GatewayApp.StartAsync(onKestrel: true, settings: Settings);
    }

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null)
            await _gateway.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>An account with a dollar, and the scripts that the provider follows next.</summary>
    public async Task<TestAccount> OpenAsync(params UpstreamScript[] scripts)
    {
        var account = await App.OpenAccountAsync();
        await App.GrantAsync(account.Id, Amount.Usd((long)Granted), PocketSource.Prepaid);
        Upstream.Next(scripts);
        return account;
    }

    /// <summary>A key of a subscription that was just begun.</summary>
    public async Task<TestAccount> SubscribeAsync(string tier, params UpstreamScript[] scripts)
    {
        var account = await OpenAsync(scripts);
        await App.ExecuteAsync(new SetSubscription(account.Id, EventIds.Request(account.Id, "subscribe"), tier));
        return await WithKeyAsync(account, key => key with { Billing = KeyBilling.Subscription });
    }

    /// <summary>The same account with another key.</summary>
    public async Task<TestAccount> WithKeyAsync(TestAccount account, Func<CreateKey, CreateKey> change)
    {
        var (key, secret) = await App.CreateKeyAsync(account.Id, change: change);
        return account with { KeyId = key, Key = secret };
    }

    /// <summary>Has a client do something, and gives what it saw.</summary>
    /// <param name="program">The client: <c>openai</c> or <c>anthropic</c>.</param>
    /// <param name="operation">What it does.</param>
    /// <param name="key">By which key.</param>
    /// <param name="input">What the operation is told.</param>
    public async Task<Seen> RunAsync(string program, string operation, string key, object input)
    {
        var run = await Programs.RunAsync(
            "node",
            [program + ".mjs", operation],
            new Dictionary<string, string> { ["LEDGER_ORIGIN"] = Origin, ["LEDGER_KEY"] = key },
            JsonSerializer.Serialize(input)
        );
        run.ExitCode.ShouldBe(0, run.ToString());
        return new(JsonElement.Parse(run.Output));
    }

    /// <summary>What an account was charged, in order: dollars or credits, outcome, and <c>estimated</c> where the provider told nothing.</summary>
    public async Task<IReadOnlyList<string>> ChargesAsync(TestAccount account)
    {
        var events = await App.EventsAsync(account.Id);
        var open =
            events.Count(stored => stored.Type == "hold_placed") - events.Count(stored => stored.Type is "hold_settled" or "hold_released");
        open.ShouldBe(0, "holds that have not ended");
        var charges = events.Where(stored => stored.Type == "hold_settled").Select(stored => JsonElement.Parse(stored.Data)).ToList();
        var sum = charges.Sum(charge => DollarsOf(charge) ?? 0);
        (await App.ReadAsync(account.Id)).Wallet.Available(Unit.Usd, App.Clock.Now).Parts.ShouldBe((long)((Granted - sum) * 1_000_000_000));
        return [.. charges.Select(Told)];
    }

    /// <summary>Looks at who comes, so that a test knows when the server knows that somebody has left.</summary>
    public Arrivals Watch() => new(App.Services.GetRequiredService<DiagnosticListener>());

    private static string Told(JsonElement charge)
    {
        var call = charge.GetProperty("call");
        var amount = DollarsOf(charge) is { } dollars
            ? dollars.ToString("0.#########", CultureInfo.InvariantCulture)
            : (charge.GetProperty("charged").GetProperty("credits").GetInt64() / 1_000_000m).ToString(CultureInfo.InvariantCulture)
                + " credits";
        var outcome = JsonNamingPolicy.SnakeCaseLower.ConvertName(call.GetProperty("outcome").GetString()!);
        return $"{amount} {outcome}{(call.GetProperty("estimated").GetBoolean() ? " estimated" : "")}";
    }

    private static decimal? DollarsOf(JsonElement charge) =>
        charge.GetProperty("charged").TryGetProperty("usd", out var parts) ? parts.GetInt64() / 1_000_000_000m : null;
}

/// <summary>The same, where nobody is waited for.</summary>
public sealed class ImpatientWorld : ClientWorld
{
    /// <inheritdoc/>
    protected override Dictionary<string, string> Settings => new(base.Settings) { ["Gateway:ReadOn"] = "00:00:00" };
}

/// <summary>What a client's program printed.</summary>
/// <param name="Json">All of it.</param>
public sealed record Seen(JsonElement Json)
{
    /// <summary>What the client's call returned.</summary>
    public JsonElement Answer => this["answer"];

    /// <summary>What the client threw.</summary>
    public JsonElement Error => this["error"];

    /// <summary>What the client threw, in one line: its class, status, code or type, member.</summary>
    public string ErrorLine
    {
        get
        {
            var error = Error;
            string[] parts =
            [
                .. ((string[])["class", "status", "type", "code", "param"]).Select(name => Text(error, name)).OfType<string>(),
            ];
            return string.Join(' ', parts);
        }
    }

    /// <summary>The requests that the client really made, in order: their statuses.</summary>
    public IReadOnlyList<int> Statuses =>
        [.. this["requests"].EnumerateArray().Select(request => request.GetProperty("status").GetInt32())];

    /// <summary>What the last answer said it had cost.</summary>
    public string? Cost => Text(this["requests"].EnumerateArray().Last(), "cost");

    /// <summary>A member.</summary>
    public JsonElement this[string name] =>
        Json.TryGetProperty(name, out var value) ? value : throw new ShouldAssertException($"no {name} in {Json.GetRawText()}");

    /// <summary>A member as JSON.</summary>
    public string Raw(string name) => this[name].GetRawText();

    public override string ToString() => Json.GetRawText();

    private static string? Text(JsonElement of, string name) =>
        !of.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : value.GetRawText();
}

/// <summary>The requests that arrive at a server, as its own diagnostics tell.</summary>
public sealed class Arrivals : IObserver<KeyValuePair<string, object?>>, IDisposable
{
    private const string Start = "Microsoft.AspNetCore.Hosting.HttpRequestIn.Start";
    private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly IDisposable _subscription;

    internal Arrivals(DiagnosticListener listener) =>
        _subscription = listener.Subscribe(this, name => Start.StartsWith(name, StringComparison.Ordinal));

    /// <summary>Comes when the server knows that somebody has left before the end.</summary>
    public Task Left => _left.Task;

    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (value is { Key: Start, Value: HttpContext context })
            context.RequestAborted.UnsafeRegister(static left => ((TaskCompletionSource)left!).TrySetResult(), _left);
    }

    public void OnCompleted() { }

    public void OnError(Exception error) { }

    public void Dispose() => _subscription.Dispose();
}
