using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Ledger.Api.Hosting;
using Ledger.Api.Payments.Stripe;
using Ledger.Testing;

namespace Ledger.Api.Tests.Payments.Stripe;

/// <summary>Who may tell us that something was paid.</summary>
public sealed class StripeSignatureTests : IAsyncLifetime
{
    private const string Body = "{\n  \"id\": \"evt_1\",\n  \"object\": \"event\",\n  \"note\": \"grüß dich €\"\n}";
    private const string Time = "1783080000";

    // Made by generateTestHeaderString of Stripe's own library for Node, for this body, this time and the secret below.
    private const string Good = "8d4a14b9d68486307e637acf91470e1537e616dd38ee0665c4eead061dd5e889";
    private const string Other = "0000000000000000000000000000000000000000000000000000000000000000";
    private const string Secret = "whsec_test_secret";

    // The library's version that speaks the same version of the API as we do.
    private const string Package = "stripe@18.5.0";

    private readonly TestFolder _folder = TestFolder.Create();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Theory]
    [InlineData($"t={Time},v1={Good}", "made by Stripe's own library")]
    [InlineData($"t={Time},v1={Other},v1={Good}", "one of two: the secret was rolled")]
    [InlineData($"t={Time},v1={Good},v1={Other}", "the other way round")]
    [InlineData($"t={Time},v0={Other},v1={Good}", "beside one of a scheme that does not count")]
    [InlineData($"v1={Good},t={Time}", "in another order")]
    [InlineData($"t={Time}, v1={Good}", "with a space")]
    public void A_signature_is_good(string header, string because) => Check(header).ShouldBe(SignatureCheck.Good, because);

    [Theory]
    [InlineData($"t={Time},v1={Other}", "of something else")]
    [InlineData($"t=1783080001,v1={Good}", "of another time")]
    [InlineData($"t={Time}0,v1={Good}", "of a time far away")]
    [InlineData($"t=01783080000,v1={Good}", "of the same time, written otherwise")]
    public void A_signature_is_forged(string header, string because) => Check(header).ShouldBe(SignatureCheck.Forged, because);

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData($"t={Time}")]
    [InlineData($"v1={Good}")]
    [InlineData($"t=,v1={Good}")]
    [InlineData($"t=now,v1={Good}")]
    [InlineData($"t=-{Time},v1={Good}")]
    [InlineData($"t={Time},v0={Good}")]
    [InlineData($"t={Time},v1=")]
    [InlineData($"t={Time},v1={Good}00")]
    [InlineData($"t={Time},v1=x{Good}")]
    [InlineData($"t={Time},v1 {Good}")]
    public void A_signature_is_missing(string? header) => Check(header).ShouldBe(SignatureCheck.Missing);

    [Theory]
    [InlineData(-301, "Stale")]
    [InlineData(-300, "Good")]
    [InlineData(0, "Good")]
    [InlineData(300, "Good")]
    [InlineData(301, "Stale")]
    public void A_signature_is_good_for_five_minutes_either_way(int secondsLater, string expected) =>
        Check($"t={Time},v1={Good}", FixedClock.Start.AddSeconds(secondsLater)).ToString().ShouldBe(expected);

    [Theory]
    [InlineData("0")]
    [InlineData("99999999999999999999")]
    public void A_time_beyond_all_times_is_stale_and_no_fault(string time) =>
        Check($"t={time},v1={Sign(time, Secret)}").ShouldBe(SignatureCheck.Stale);

    [Fact]
    public void A_body_with_one_byte_changed_is_forged() =>
        new StripeSignature([Secret])
            .Check(
                $"t={Time},v1={Good}",
                Encoding.UTF8.GetBytes(Body.Replace("evt_1", "evt_2", StringComparison.Ordinal)),
                FixedClock.Start
            )
            .ShouldBe(SignatureCheck.Forged);

    [Fact]
    public void While_a_secret_is_rolled_the_old_one_and_the_new_one_sign()
    {
        var both = new StripeSignature(["whsec_new", Secret]);
        foreach (var secret in (string[])["whsec_new", Secret])
            both.Check($"t={Time},v1={Sign(Time, secret)}", Encoding.UTF8.GetBytes(Body), FixedClock.Start).ShouldBe(SignatureCheck.Good);
        both.Check($"t={Time},v1={Sign(Time, "whsec_third")}", Encoding.UTF8.GetBytes(Body), FixedClock.Start)
            .ShouldBe(SignatureCheck.Forged);
    }

    [Fact]
    public async Task Stripes_own_library_takes_what_the_stand_in_signs_and_signs_what_we_take()
    {
        // Where there is no npm, what that library has signed above has to do.
        if (ChildProcess.Which("npm") is not { } npm || ChildProcess.Which("node") is not { } node)
            return;
        await RunAsync([
            npm,
            "install",
            "--prefix",
            _folder.Path,
            "--cache",
            Path.Combine(_folder.Path, "cache"),
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--no-update-notifier",
            "--loglevel=error",
            Package,
        ]);
        await using var stripe = await StripeStandIn.StartAsync(new FixedClock());
        var script = Path.Combine(_folder.Path, "check.js");
        await File.WriteAllTextAsync(
            script,
            """
            const [key, body, header, secret, time] = process.argv.slice(2);
            const stripe = require('stripe')(key);
            const event = stripe.webhooks.constructEvent(body, header, secret, 300, undefined, Number(time) * 1000);
            if (event.id !== 'evt_1') throw new Error('Another event: ' + event.id);
            console.log(stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: Number(time) }));
            """
        );
        var header = stripe.Sign(Body, FixedClock.Start, Other, Secret);
        var theirs = await RunAsync([node, script, StripeStandIn.ApiKey, Body, header, Secret, Time]);
        Check(theirs.Trim()).ShouldBe(SignatureCheck.Good);
        theirs.Trim().ShouldBe($"t={Time},v1={Good}");
    }

    private static SignatureCheck Check(string? header, DateTimeOffset? now = null) =>
        new StripeSignature([Secret]).Check(header, Encoding.UTF8.GetBytes(Body), now ?? FixedClock.Start);

    private static string Sign(string time, string secret) =>
        Convert.ToHexStringLower(
            HMACSHA256.HashData(
                Encoding.UTF8.GetBytes(secret),
                Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{time}.{Body}"))
            )
        );

    private static async Task<string> RunAsync(string[] command)
    {
        var finished = await ChildProcess.RunAsync(command, TimeProvider.System, TimeSpan.FromMinutes(5));
        finished.Succeeded.ShouldBeTrue(finished.Said);
        return finished.Output;
    }
}
