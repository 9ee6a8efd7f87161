using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Ledger.Api.Gateway.Protocols;
using Ledger.Api.Tests.Gateway.Calls;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.Testing;
using Ledger.Upstream;

namespace Ledger.Api.Tests.Gateway.Providers;

/// <summary>A provider behind TLS that speaks HTTP/2, as the real ones do: a server process that trusts the stand-in's certificate.</summary>
public sealed class Http2Tests : IAsyncLifetime
{
    private const int Calls = 20;

    private readonly TestFolder _folder = TestFolder.Create();
    private readonly X509Certificate2 _certificate = NewCertificate();
    private StandInUpstream _upstream = null!;
    private string _database = "";
    private TestAccount _account = null!;

    public static TheoryData<Protocol> Protocols => Talk.Protocols;

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(_folder.Data);
        await File.WriteAllTextAsync(TrustFile, _certificate.ExportCertificatePem());
        _upstream = await StandInUpstream.StartSecureAsync(_certificate);
        _database = await new PostgresFixture().CreateDatabaseAsync();
        var first = await SharedGateway.StartAsync(_database, _upstream);
        _account = await first.RichAsync();
        await first.App.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _upstream.DisposeAsync();
        _certificate.Dispose();
        await _folder.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Streams_at_once_share_a_connection_and_each_is_charged_for_itself(Protocol protocol)
    {
        await using var server = await StartAsync();

        // The first one makes the connection; who comes while it is being made would make more.
        _upstream.Next(UpstreamScript.Says("one ").Using(new(10, 1)));
        await SayAsync(server, protocol);
        var gate = new Gate();
        for (var n = 1; n <= Calls; n++)
            _upstream.Next(UpstreamScript.Says("one ", "two ").HoldPiece(1, gate).Using(new(10, n)));
        var streams = await Task.WhenAll(Enumerable.Range(0, Calls).Select(_ => OpenAsync(server, protocol)));
        foreach (var stream in streams)
            await stream.UntilAsync("one ");
        gate.Open();
        foreach (var stream in streams)
        {
            Talk.HasEnd(protocol, await stream.ToEndAsync()).ShouldBeTrue(stream.Read);
            stream.Dispose();
        }

        _upstream.Calls.Count.ShouldBe(Calls + 1);
        _upstream.Calls.ShouldAllBe(call => call.HttpVersion == "HTTP/2");
        _upstream.Calls.Select(call => call.Connection).Distinct().ShouldHaveSingleItem();
        (await ChargesAsync())
            .Select(charge => charge.Charged)
            .ShouldBe([.. Enumerable.Range(1, Calls).Select(Price), Price(1)], ignoreOrder: true);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_stream_that_is_cut_leaves_the_others_of_its_connection_alone(Protocol protocol)
    {
        await using var server = await StartAsync();
        _upstream.Next(UpstreamScript.Says("one ").Using(new(10, 1)));
        await SayAsync(server, protocol);
        var (cut, whole) = (new Gate(), new Gate());
        _upstream.Next(UpstreamScript.Says("one ", "two ").HoldPiece(1, whole).Using(new(10, 7)));
        using var good = await OpenAsync(server, protocol);
        await good.UntilAsync("one ");
        _upstream.Next(UpstreamScript.Says("one two ", "three 4 ").HoldPiece(1, cut).CutAfter(1));
        using var bad = await OpenAsync(server, protocol);
        await bad.UntilAsync("one two ");
        cut.Open();
        Talk.HasEnd(protocol, await bad.ToEndAsync()).ShouldBeFalse(bad.Read);
        whole.Open();
        Talk.HasEnd(protocol, await good.ToEndAsync()).ShouldBeTrue(good.Read);
        _upstream.Calls.Select(call => call.Connection).Distinct().ShouldHaveSingleItem();
        var charges = await ChargesAsync();
        charges.Select(charge => charge.Call!.Outcome).ShouldBe([CallOutcome.Completed, CallOutcome.UpstreamCut, CallOutcome.Completed]);
        charges[^1].Charged.ShouldBe(Price(7));
    }

    [Fact]
    public async Task A_certificate_that_nobody_vouches_for_is_no_provider()
    {
        await using var server = await StartAsync(trusts: false);
        var answer = await server.SayAsync(Talk.RouteOf(Protocol.OpenAi), _account.Key, Talk.BodyOf(Protocol.OpenAi, isStream: false));
        answer.ShouldBe(502);
        _upstream.Calls.ShouldBeEmpty("a key must not go to whoever answers");
        (await ChargesAsync()).ShouldBeEmpty();
    }

    /// <summary>Ten tokens of input at 1 dollar per million, and these of output at 2.</summary>
    private static Amount Price(int output) => new(10_000 + 2_000 * output, Unit.Usd);

    private string TrustFile => Path.Combine(_folder.Data, "trusted.pem");

    private Task<LiveStream> OpenAsync(LedgerProcess server, Protocol protocol) =>
        LiveStream.OpenAsync(server.Http.BaseAddress!, Talk.RouteOf(protocol), _account.Key, Talk.BodyOf(protocol, isStream: true));

    private async Task SayAsync(LedgerProcess server, Protocol protocol) =>
        (await server.SayAsync(Talk.RouteOf(protocol), _account.Key, Talk.BodyOf(protocol, isStream: false))).ShouldBe(200);

    /// <summary>What was charged, in its order, once the servers before it are done.</summary>
    private async Task<IReadOnlyList<HoldSettled>> ChargesAsync()
    {
        var reader = await SharedGateway.StartAsync(_database, _upstream, new FixedClock { Now = TimeProvider.System.GetUtcNow() });
        var charges = (await reader.App.FactsAsync(_account.Id)).OfType<HoldSettled>().ToList();
        await reader.App.DisposeAsync();
        return charges;
    }

    private async Task<LedgerProcess> StartAsync(bool trusts = true)
    {
        var settings = new Dictionary<string, string>();
        foreach (var (name, value) in _upstream.SettingsFor("openai").Concat(_upstream.SettingsFor("anthropic", "anthropic")))
            settings[name] = value;
        settings["Providers:openai:Retries"] = settings["Providers:anthropic:Retries"] = "0";
        settings["Ledger:RateCard"] = Path.Combine(AppContext.BaseDirectory, "Gateway", "rate-card.json");
        settings["Ledger:AdminKey"] = LedgerApp.AdminKey;
        if (trusts)
            settings["SSL_CERT_FILE"] = TrustFile;
        var server = LedgerProcess.Launch(_folder.Data, _database, settings);
        await server.ListensAsync();
        await Eventually.IsSoAsync(async () => (await server.GetAsync("/health/ready")).Status == 200, () => server.Output);
        return server;
    }

    private static X509Certificate2 NewCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=stand-in provider", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());

        // A process of its own checks it, by the real time.
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }
}
