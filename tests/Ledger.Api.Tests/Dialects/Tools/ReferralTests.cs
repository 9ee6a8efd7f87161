using Ledger.Domain.Referrals;
using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Tools;

/// <summary>A code brings a bonus to both sides, exactly once.</summary>
public sealed class ReferralTests(SharedApp shared) : IClassFixture<SharedApp>
{
    private readonly LedgerApp _app = shared.App;

    [Fact]
    public async Task Both_sides_get_their_bonus_once()
    {
        var (referrer, referred) = (await _app.OpenAccountAsync(), await _app.OpenAccountAsync());
        var shown = (await _app.GetAsync("/api/v1/referral", referrer.Key)).ShouldBe(200);
        var code = shown.Text("code")!;
        shown.Body.ShouldBe($$"""{"ok":true,"code":"{{code}}","referred":0,"tokens_earned":0}""");

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => ApplyAsync(referred, code.ToUpperInvariant())));
        answers.Single(answer => answer.Status == 200).Body.ShouldBe("""{"ok":true,"tokens_earned":500,"balance_after":500}""");
        foreach (var again in answers.Where(answer => answer.Status != 200))
            again.ShouldBeRefused(409, "already_referred");

        await Eventually.IsSoAsync(async () => (await _app.ReadAsync(referrer.Id)).Referral.Referred == 1);
        (await _app.GetAsync("/api/v1/referral", referrer.Key)).ShouldBe(
            200,
            $$"""{"ok":true,"code":"{{code}}","referred":1,"tokens_earned":1000}"""
        );
        (await _app.AvailableAsync(referrer.Id)).ShouldBe(1000);
        (await _app.AvailableAsync(referred.Id)).ShouldBe(500);

        // Carried once more, as after a crash between the carrying and its checkpoint, it changes nothing.
        var before = await _app.StandingAsync(referrer.Id);
        await _app.ExecuteAsync(new RewardReferral(referrer.Id, referred.Id, Domain.Money.Amount.Credits(1000)));
        (await _app.StandingAsync(referrer.Id)).ShouldBe(before);
    }

    [Fact]
    public async Task Nobody_refers_themselves_and_an_unknown_code_is_unknown()
    {
        var account = await _app.OpenAccountAsync();
        var code = (await _app.GetAsync("/api/v1/referral", account.Key)).Text("code")!;
        (await ApplyAsync(account, code)).ShouldBeRefused(409, "referral_to_oneself");
        foreach (var unknown in (string[])["0123456789abcdef", "short", account.Id.Value, "'; drop table accounts; --"])
            (await ApplyAsync(account, unknown)).ShouldBeRefused(404, "referral_not_found");
        (await _app.PostAsync("/api/v1/referral/apply", account.Key, """{"kode":"x"}""")).ShouldBeRefused(400, "invalid_request");
        (await _app.StandingAsync(account.Id)).Available.ShouldBe(0);
    }

    [Fact]
    public async Task Each_account_has_its_own_bucket()
    {
        var (busy, calm) = (await _app.OpenAccountAsync(), await _app.OpenAccountAsync());
        for (var i = 0; i < 10; i++)
            (await ApplyAsync(busy, "short")).ShouldBeRefused(404, "referral_not_found");
        (await ApplyAsync(busy, "short")).ShouldBeRefused(429, "rate_limited").Header("Retry-After").ShouldNotBeNull();
        (await ApplyAsync(calm, "short")).ShouldBeRefused(404, "referral_not_found");

        for (var i = 0; i < 60; i++)
            (await _app.GetAsync("/api/v1/referral", busy.Key)).ShouldBe(200);
        (await _app.GetAsync("/api/v1/referral", busy.Key)).ShouldBeRefused(429, "rate_limited");
        (await _app.GetAsync("/api/v1/referral", calm.Key)).ShouldBe(200);
    }

    [Fact]
    public async Task Whoever_may_not_work_may_not_refer()
    {
        (await _app.GetAsync("/api/v1/referral")).ShouldBeRefused(401, "auth_required");
        var account = await _app.OpenAccountAsync(kind: Domain.Keys.KeyKind.Provisioning);
        (await _app.GetAsync("/api/v1/referral", account.Key)).ShouldBeRefused(403, "forbidden");
    }

    private Task<Answer> ApplyAsync(TestAccount account, string code) =>
        _app.PostAsync("/api/v1/referral/apply", account.Key, new { code });
}
