using System.Text;
using Ledger.Api.Application;
using Ledger.Api.Gateway.Presets;
using Ledger.Api.Gateway.Providers;
using Ledger.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Ledger.Api.Tests.Gateway.Providers;

/// <summary>Settings of providers and presets: what stands where nothing is said, and what stops the server.</summary>
public sealed class SettingsTests
{
    [Fact]
    public void Where_nothing_else_is_said_the_official_addresses_hold()
    {
        var all = Read("a:Kind=openai", "a:ApiKey=k", "b:Kind=Anthropic", "b:ApiKey=k", "c:Kind=sandbox");
        (all["a"].Kind, all["a"].BaseUrl, all["a"].ApiKey).ShouldBe((ProviderKind.OpenAi, new Uri("https://api.openai.com/v1"), "k"));
        (all["B"].Kind, all["b"].BaseUrl).ShouldBe((ProviderKind.Anthropic, new Uri("https://api.anthropic.com")));
        (all["c"].Kind, all["c"].BaseUrl).ShouldBe((ProviderKind.Sandbox, null));
        (all["a"].Timeout, all["a"].Idle, all["a"].Retries, all["c"].Delay).ShouldBe(
            (TimeSpan.FromSeconds(600), TimeSpan.FromSeconds(120), 2, TimeSpan.FromMilliseconds(200))
        );
        Read().ShouldBeEmpty();
    }

    [Fact]
    public void Everything_can_be_said()
    {
        var one = Read("a:Kind=openai", "a:BaseUrl=http://localhost:11434/v1/", "a:TimeoutSeconds=1.5", "a:IdleSeconds=20", "a:Retries=0")[
            "a"
        ];
        (one.BaseUrl, one.ApiKey, one.Timeout, one.Idle, one.Retries).ShouldBe(
            (new Uri("http://localhost:11434/v1"), "", TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(20), 0)
        );
    }

    [Theory]
    [InlineData("a:ApiKey=sk-secret", "Providers:a:Kind must be openai, anthropic or sandbox.")]
    [InlineData("a:Kind=azure a:ApiKey=sk-secret", "Providers:a:Kind must be openai, anthropic or sandbox.")]
    [InlineData("a:Kind=openai", "Providers:a:ApiKey must be set where Providers:a:BaseUrl is not.")]
    [InlineData("a:Kind=openai a:ApiKey=sk-secret\u00a0", "Providers:a:ApiKey must be one word of visible ASCII characters.")]
    [InlineData("a:Kind=openai a:BaseUrl=nowhere", "Providers:a:BaseUrl must be an http or https address without user, query or fragment.")]
    [InlineData(
        "a:Kind=openai a:BaseUrl=ftp://x/v1",
        "Providers:a:BaseUrl must be an http or https address without user, query or fragment."
    )]
    [InlineData(
        "a:Kind=openai a:BaseUrl=http://u:sk-secret@x/v1",
        "Providers:a:BaseUrl must be an http or https address without user, query or fragment."
    )]
    [InlineData(
        "a:Kind=anthropic a:BaseUrl=http://x/v1",
        "Providers:a:BaseUrl must not end in /v1 where Kind is anthropic: the route adds it."
    )]
    [InlineData("a:Kind=sandbox a:TimeoutSeconds=0", "Providers:a:TimeoutSeconds must be a number from 0.001 to 86400.")]
    [InlineData("a:Kind=sandbox a:IdleSeconds=soon", "Providers:a:IdleSeconds must be a number from 0.001 to 86400.")]
    [InlineData("a:Kind=sandbox a:Retries=11", "Providers:a:Retries must be a whole number from 0 to 10.")]
    [InlineData("a:Kind=sandbox a:Retries=1.5", "Providers:a:Retries must be a whole number from 0 to 10.")]
    [InlineData("a:Kind=sandbox a:DelayMilliseconds=-1", "Providers:a:DelayMilliseconds must be a whole number from 0 to 60000.")]
    [InlineData(
        "a:Kind=sandbox a:Key=sk-secret",
        "Providers:a:Key is not a setting of a provider; there are Kind, BaseUrl, ApiKey, TimeoutSeconds, IdleSeconds, Retries, DelayMilliseconds."
    )]
    public void A_setting_that_cannot_be_used_is_named_and_no_key_is_shown(string settings, string message)
    {
        var fault = Should.Throw<SettingsException>(() => Read(settings.Split(' ')));
        fault.Message.ShouldBe(message);
        fault.ToString().ShouldNotContain("sk-secret");
    }

    [Fact]
    public void A_key_is_not_printed_with_its_settings() =>
        Read("a:Kind=openai", "a:ApiKey=sk-secret")["a"].ToString()!.ShouldNotContain("sk-secret");

    [Fact]
    public async Task The_sandbox_stands_in_for_what_is_missing_only_where_it_is_told_to_and_says_so_once()
    {
        await using (var trying = Routing.With(serveMissingBySandbox: true))
        {
            trying.Upstreams.Find("deepseek").ShouldBeOfType<SandboxProvider>().Name.ShouldBe("deepseek");
            trying.Upstreams.Find("DeepSeek").ShouldBeSameAs(trying.Upstreams.Find("deepseek"));
            trying.Upstreams.Find("sandbox").ShouldBeOfType<SandboxProvider>();
            trying
                .Log.ShouldHaveSingleItem()
                .ShouldBe(
                    "Information: The provider deepseek of the rate card is not configured: the sandbox answers for it. Providers:deepseek:Kind configures it."
                );
        }

        await using var serving = Routing.With(serveMissingBySandbox: false, ("Providers:Other:Kind", "sandbox"));
        serving.Upstreams.Find("deepseek").ShouldBeNull();
        serving.Upstreams.Find("deepseek").ShouldBeNull();
        serving.Upstreams.Find("sandbox").ShouldBeOfType<SandboxProvider>();
        serving.Upstreams.Find("other").ShouldBeOfType<SandboxProvider>();
        serving.Log.ShouldHaveSingleItem().ShouldStartWith("Warning: The provider deepseek of the rate card is not configured: calls");
    }

    [Fact]
    public void Set_up_gives_the_router_and_the_presets()
    {
        using var services = new ServiceCollection()
            .AddLogging()
            .AddMetrics()
            .AddSingleton(TimeProvider.System)
            .AddGatewayProviders(Configuration(), serveMissingBySandbox: true)
            .BuildServiceProvider();
        services.GetRequiredService<UpstreamRouter>().ShouldNotBeNull();
        services.GetRequiredService<PresetLibrary>().Find("claudecode").ShouldNotBeNull();
        Should.Throw<SettingsException>(() =>
            new ServiceCollection().AddGatewayProviders(Configuration("Providers:a:Kind=none"), serveMissingBySandbox: true)
        );
    }

    [Fact]
    public void Every_tool_has_a_preset_of_its_own_that_comes_with_the_server()
    {
        var library = PresetLibrary.From(Configuration());
        var texts = PresetLibrary.Tools.Select(tool => library.Find(tool).ShouldNotBeNull()).ToList();
        texts.Count.ShouldBe(4);
        texts.Distinct().Count().ShouldBe(4);
        texts.ShouldAllBe(text =>
            text.Split('\n').Length >= 30 && text.Length < 8000 && text.Contains("# Skills", StringComparison.Ordinal)
        );
        library.Find("emacs").ShouldBeNull();
        library.Find("Cline").ShouldBeNull();
    }

    [Fact]
    public async Task Presets_may_be_ones_own_and_what_cannot_be_used_stops_the_server()
    {
        await using var folder = TestFolder.Create();
        var at = $"Gateway:Presets={folder.Path}";
        Write("claudecode", "\uFEFF\r\nOne's own.\n");
        Write("cline", "b");
        Write("cursor", "c");
        Should.Throw<SettingsException>(() => PresetLibrary.From(Configuration(at))).Message.ShouldContain("roocode.md cannot be read");
        Write("roocode", "d");
        PresetLibrary.From(Configuration(at)).Find("claudecode").ShouldBe("One's own.");
        foreach (
            var (bytes, what) in ((byte[], string)[])
                [
                    ([], "is empty."),
                    ("  \n"u8.ToArray(), "is empty."),
                    ([0x61, 0xff, 0xfe], "is not UTF-8."),
                    (new byte[64 * 1024 + 1], "is larger than 64 KiB."),
                ]
        )
        {
            await File.WriteAllBytesAsync(Path.Combine(folder.Path, "roocode.md"), bytes);
            Should
                .Throw<SettingsException>(() => PresetLibrary.From(Configuration(at)))
                .Message.ShouldBe($"The preset {Path.Combine(folder.Path, "roocode.md")} {what} Gateway:Presets names another folder.");
        }

        void Write(string tool, string text) => File.WriteAllText(Path.Combine(folder.Path, tool + ".md"), text, Encoding.UTF8);
    }

    private static IReadOnlyDictionary<string, ProviderOptions> Read(params string[] settings) =>
        ProviderOptions.From(Configuration([.. settings.Select(setting => "Providers:" + setting)]));

    private static IConfigurationRoot Configuration(params string[] settings) =>
        new ConfigurationBuilder()
            .AddInMemoryCollection(
                settings.Select(setting => KeyValuePair.Create(setting.Split('=')[0], (string?)setting.Split('=', 2)[1]))
            )
            .Build();
}
