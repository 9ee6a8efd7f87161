using Ledger.Api.Gateway.Protocols;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;

namespace Ledger.Api.Tests.Gateway.Calls;

/// <summary>How many requests a key may send at once, as the headers of both protocols tell it.</summary>
public sealed class BucketTests(SharedGateway shared) : IClassFixture<SharedGateway>
{
    private readonly GatewayApp _gateway = shared.Gateway;

    public static TheoryData<string, int> Routes =>
        new()
        {
            { "/v1/chat/completions", 10 },
            { "/v1/messages", 10 },
            { "/claudecode/v1/messages", 60 },
        };

    [Theory]
    [MemberData(nameof(Routes))]
    public async Task A_key_has_the_bucket_of_the_route(string route, int burst)
    {
        var account = await _gateway.App.OpenAccountAsync();
        await _gateway.App.GrantAsync(account.Id, Amount.Usd(1), PocketSource.Prepaid);
        var (protocol, stem, end) =
            route == "/v1/chat/completions"
                ? (Protocol.OpenAi, "x-ratelimit-", "-requests")
                : (Protocol.Anthropic, "anthropic-ratelimit-requests-", "");

        // A bad request counts as well: it is the request that is counted.
        var first = await _gateway.App.SayAsync(route, account.Key, Talk.BodyOf(protocol));
        first.ShouldBe(200).ShouldHave($"{stem}limit{end}", $"{burst}").ShouldHave($"{stem}remaining{end}", $"{burst - 1}");
        first.Header($"{stem}reset{end}")!.ShouldMatch(protocol == Protocol.OpenAi ? "^[12]s$" : "^2026-07-03T12:00:0[0-9]Z$");

        var answers = new List<Answer>();
        while (answers.Count < 10 * burst && (answers.Count == 0 || answers[^1].Status != 429))
            answers.Add(await _gateway.App.SayAsync(route, account.Key, "{"));
        var refused = answers[^1];
        answers.Count.ShouldBeGreaterThanOrEqualTo(burst);
        refused.ShouldRefuse(protocol, (429, "rate_limit_exceeded"), (429, "rate_limit_error"));
        refused.ShouldHave($"{stem}remaining{end}", "0").ShouldHave($"{stem}limit{end}", $"{burst}");
        int.Parse(refused.Header("Retry-After")!, System.Globalization.CultureInfo.InvariantCulture).ShouldBeInRange(1, 2);
    }

    [Fact]
    public async Task The_operator_gives_a_key_another_bucket_or_none()
    {
        var account = await _gateway.App.OpenAccountAsync();
        await _gateway.App.GrantAsync(account.Id, Amount.Usd(1), PocketSource.Prepaid);
        var (_, own) = await _gateway.App.CreateKeyAsync(
            account.Id,
            change: key => key with { RateLimit = new KeyRateLimit(2, Quantity.Parse("0.001"), false) }
        );
        (await _gateway.AskAsync(Protocol.OpenAi, false, own)).ShouldBe(200).ShouldHave("x-ratelimit-limit-requests", "2");
        (await _gateway.AskAsync(Protocol.OpenAi, true, own)).ShouldBe(200).ShouldHave("x-ratelimit-remaining-requests", "0");
        (await _gateway.AskAsync(Protocol.Anthropic, false, own))
            .ShouldRefuse(Protocol.Anthropic, default, (429, "rate_limit_error"))
            .Header("Retry-After")
            .ShouldNotBeNull();

        var free = await _gateway.KeyAsync(account, key => key);
        for (var n = 0; n < 15; n++)
            (await _gateway.AskAsync(Protocol.OpenAi, false, free.Key)).ShouldBe(200).ShouldHave("x-ratelimit-limit-requests", null);
    }
}
