using System.Text.Json;
using System.Text.Json.Serialization;
using Ledger.Api.Application;
using Ledger.Api.Keys;
using Ledger.Api.Pricing;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.RateCards;
using Ledger.Domain.Subscriptions;
using Ledger.Domain.Wallets;
using Ledger.Projections.Accounts;
using Microsoft.AspNetCore.Identity;

namespace Ledger.Api.Hosting;

/// <summary>What a newcomer needs to make the first call; kept in <c>demo.json</c>, readable by its owner only.</summary>
/// <param name="BaseUrl">Where the server listens.</param>
/// <param name="AdminKey">The operator's key.</param>
/// <param name="AccountId">The demo account.</param>
/// <param name="Email">Its address.</param>
/// <param name="Password">Its password.</param>
/// <param name="ApiKey">Its pay-per-token inference key.</param>
/// <param name="SubscriptionKey">Its subscription inference key.</param>
/// <param name="ProvisioningKey">Its provisioning key.</param>
public sealed record DemoAccount(
    string BaseUrl,
    string AdminKey,
    string AccountId,
    string Email,
    string Password,
    string ApiKey,
    string SubscriptionKey,
    string ProvisioningKey
);

/// <summary>Reads and writes <c>demo.json</c>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(DemoAccount))]
internal sealed partial class DemoJson : JsonSerializerContext;

/// <summary>
/// What an empty database gets: the default rate card, and in embedded mode one demo account with credits in every kind of pocket.
/// Every step can be repeated, so that a first run that was cut short is finished by the next.
/// </summary>
public sealed class FirstRun(
    LedgerDatabase database,
    LedgerService ledger,
    RateCards cards,
    People people,
    OperatorKey operatorKey,
    IConfiguration configuration,
    TimeProvider time
)
{
    private const string DemoEmail = "demo@example.com";
    private const string DemoTier = "pro";
    private const string DemoPack = "deepseek-chat-20k";
    private static readonly Caller System = Caller.System("first-run");

    /// <summary>The demo account, where this is an embedded database.</summary>
    public DemoAccount? Demo { get; private set; }

    /// <summary>Whether this start made the demo account.</summary>
    public bool IsFirst { get; private set; }

    private string DemoFile => Path.Combine(database.DataFolder, "demo.json");

    /// <summary>Publishes the default rate card where there is none, and makes the demo account where there is nobody.</summary>
    /// <exception cref="RateCardFileException">The first rate card cannot be used.</exception>
    public async Task PrepareAsync(CancellationToken ct)
    {
        if (cards.Book.Cards.IsEmpty)
        {
            await cards.PublishAsync(
                new PublishRateCard(await RateCardFile.ReadAsync(RateCardFile.PathFrom(configuration), ct), null),
                System,
                ct
            );
        }

        if (database.IsEmbedded)
            await PrepareDemoAsync(ct);
    }

    /// <summary>Writes where the server really listens into <c>demo.json</c>, which can only be known once it does.</summary>
    public async Task ListensAtAsync(string baseUrl, CancellationToken ct)
    {
        if (Demo is null || (Demo.BaseUrl == baseUrl && Demo.AdminKey == operatorKey.Text))
            return;
        Demo = Demo with { BaseUrl = baseUrl, AdminKey = operatorKey.Text };
        await WriteAsync(Demo, ct);
    }

    private async Task PrepareDemoAsync(CancellationToken ct)
    {
        var known = File.Exists(DemoFile)
            ? JsonSerializer.Deserialize(await File.ReadAllTextAsync(DemoFile, ct), DemoJson.Default.DemoAccount)
            : null;
        var nobody = (await people.SearchAsync("", "", 1, ct)).Count == 0;
        if (known is null && !nobody)
            return;
        if (known is not null && (await ledger.ReadAsync(new(known.AccountId))).Account.Keys.Keys.Count >= 3)
        {
            Demo = known;
            return;
        }

        // The secrets are on disk before anything is made with them: else a crash in between would leave keys that nobody knows.
        IsFirst = true;
        var prefix = KeyPrefix.Of(configuration);
        Demo =
            known
            ?? new(
                "",
                operatorKey.Text,
                Identifiers.NewAccount().Value,
                DemoEmail,
                KeySecret.Create("demo").Text[^12..],
                KeySecret.Create(prefix).Text,
                KeySecret.Create(prefix).Text,
                KeySecret.Create(prefix).Text
            );
        await WriteAsync(Demo, ct);
        await MakeAsync(Demo, ct);
    }

    private async Task MakeAsync(DemoAccount demo, CancellationToken ct)
    {
        var now = LedgerTime.Now(time);
        var account = new AccountId(demo.AccountId);
        var person = new Person(account, demo.Email, now);
        await people.AddAsync(person, new PasswordHasher<Person>().HashPassword(person, demo.Password), ct);
        await DoAsync(new OpenAccount(account, null));

        // Whatever the rate card sells: another one may have been named.
        var card = cards.Book.InForce(now)!;
        if ((card.FindTier(DemoTier) ?? (card.Document.Tiers is [var first, ..] ? first : null)) is { } tier)
            await DoAsync(new SetSubscription(account, EventIds.Request(account, "demo"), tier.Id));
        if ((card.FindPack(DemoPack) ?? (card.Document.Packs is [var some, ..] ? some : null)) is { } pack)
            await DoAsync(new GivePack(account, pack.Id, "demo"));
        foreach (
            var (source, amount) in ((PocketSource, Amount)[])
                [
                    (PocketSource.Bonus, Amount.Credits(500)),
                    (PocketSource.Payg, Amount.Credits(7_500)),
                    (PocketSource.Prepaid, Amount.Usd(25)),
                ]
        )
            await DoAsync(new GrantCredits(account, amount, source, null, null, "demo", source.ToString(), "Demo credits"));

        foreach (
            var (name, kind, billing, secret) in ((string, KeyKind, KeyBilling, string)[])
                [
                    ("Demo inference", KeyKind.Inference, KeyBilling.PayPerToken, demo.ApiKey),
                    ("Demo subscription", KeyKind.Inference, KeyBilling.Subscription, demo.SubscriptionKey),
                    ("Demo provisioning", KeyKind.Provisioning, KeyBilling.PayPerToken, demo.ProvisioningKey),
                ]
        )
        {
            // Derived from the secret, so that a second round finds the key of the first.
            var hash = SecretHash.Of(secret).ToString();
            await DoAsync(
                new CreateKey(
                    account,
                    new(hash[..16]),
                    name,
                    kind,
                    billing,
                    null,
                    hash,
                    KeyPrefix.Of(configuration),
                    secret[^4..],
                    null,
                    null,
                    LimitReset.None,
                    [],
                    null,
                    null
                )
            );
        }
    }

    private async Task DoAsync(AccountCommand command)
    {
        var verdict = await ledger.ExecuteAsync(command, System);
        if (verdict.Refusal is { Code: not (RejectionCode.AccountExists or RejectionCode.ReferenceConflict) and var code })
            throw new InvalidOperationException($"The demo account could not be made: {command.GetType().Name} was refused with {code}.");
    }

    private Task WriteAsync(DemoAccount demo, CancellationToken ct) =>
        PrivateFile.WriteAsync(DemoFile, JsonSerializer.SerializeToUtf8Bytes(demo, DemoJson.Default.DemoAccount), ct);
}

/// <summary>What secrets of new keys start with: <c>Keys__Prefix</c>, by default <c>lk</c>.</summary>
internal static class KeyPrefix
{
    public static string Of(IConfiguration configuration) => configuration["Keys:Prefix"] is { Length: > 0 } prefix ? prefix : "lk";
}
