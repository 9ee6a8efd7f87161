using System.ClientModel;
using System.Text.RegularExpressions;
using Anthropic;
using Anthropic.Models.Messages;
using Ledger.Api.Tests.Gateway.Clients;
using OpenAI;
using OpenAI.Chat;

namespace Ledger.Api.Tests.Docs;

/// <summary>What the page on clients tells people to paste is pasted here.</summary>
public sealed partial class ClientsPageTests(ClientWorld world) : IClassFixture<ClientWorld>
{
    private const string Local = "http://127.0.0.1:5080";
    private const string Said = "Hello from upstream";
    private static readonly string Page = Repository.Read("docs/reference/clients.md");

    [Fact]
    public async Task The_lines_for_a_shell_print_what_they_say()
    {
        var snippets = Snippet.BlocksOf(Page).SelectMany(Snippet.Of).ToArray();
        snippets.Length.ShouldBe(3);
        snippets[0].Text.ShouldStartWith("export LEDGER_KEY=");
        var account = await world.OpenAsync();
        await Shell.RunAsync(
            [new($"export LEDGER_KEY={account.Key}", []), .. snippets[1..]],
            Repository.Folder,
            text => text.Replace(Local, world.Origin, StringComparison.Ordinal)
        );
        (await world.ChargesAsync(account)).Count.ShouldBe(2);
    }

    [Theory]
    [InlineData(0, Said)]
    [InlineData(1, Said)]
    [InlineData(2, Said + " true")]
    public async Task The_programs_for_Node_print_the_answer(int at, string printed)
    {
        var programs = BlocksOf("js");
        programs.Count.ShouldBe(3);
        var account = await world.OpenAsync();
        var run = await Programs.RunAsync(
            "node",
            ["--input-type=module", "--eval", programs[at].Replace(Local, world.Origin, StringComparison.Ordinal)],
            new Dictionary<string, string> { ["LEDGER_KEY"] = account.Key }
        );
        run.ExitCode.ShouldBe(0, run.ToString());
        run.Output.TrimEnd().ShouldBe(printed);
        (await world.ChargesAsync(account)).ShouldBe(["0.000016 completed"]);
    }

    [Fact]
    public async Task The_programs_for_Python_are_Python()
    {
        var programs = BlocksOf("python");
        programs.Count.ShouldBe(2);
        foreach (var program in programs)
        {
            var run = await Programs.RunAsync("python3", ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], input: program);
            run.ExitCode.ShouldBe(0, run.ToString());
        }
    }

    [Fact]
    public async Task The_programs_for_CSharp_are_those_here_and_print_the_answer()
    {
        var account = await world.OpenAsync();
        var source = Repository.Read("tests/Ledger.Api.Tests/Docs/ClientsPageTests.cs").Split('\n');
        var begin = Array.FindIndex(source, line => line.Contains("private static async Task<string>", StringComparison.Ordinal));
        var own = Squeezed(string.Join('\n', source[begin..]));
        var programs = BlocksOf("csharp");
        programs.Count.ShouldBe(2);
        foreach (var program in programs)
            own.ShouldContain(
                Squeezed(
                    Printed()
                        .Replace(program, "return $1;")
                        .Replace($"\"{Local}/v1\"", "address + \"/v1\"", StringComparison.Ordinal)
                        .Replace($"\"{Local}\"", "address", StringComparison.Ordinal)
                        .Replace("Environment.GetEnvironmentVariable(\"LEDGER_KEY\")!", "key", StringComparison.Ordinal)
                )
            );
        (await OpenAiAsync(world.Origin, account.Key)).ShouldBe(Said);
        (await AnthropicAsync(world.Origin, account.Key)).ShouldBe(Said);
    }

    [Fact]
    public async Task The_addresses_of_the_coding_tools_answer()
    {
        var addresses = ToolAddress().Matches(Page).Select(match => match.Value).Distinct().ToArray();
        addresses.Length.ShouldBe(4);
        var account = await world.SubscribeAsync("pro");
        foreach (var address in addresses)
        {
            using var client = new AnthropicClient
            {
                BaseUrl = address.Replace(Local, world.Origin, StringComparison.Ordinal),
                AuthToken = account.Key,
            };
            (
                await client.Messages.Create(
                    new()
                    {
                        Model = "claude-sonnet-4-5",
                        MaxTokens = 8,
                        Messages = [new UserMessageParam { Content = "Hi" }],
                    }
                )
            ).Content[0].TryPickText(out var text).ShouldBeTrue(address);
            text!.Text.ShouldBe(Said);
        }
    }

    private static async Task<string> OpenAiAsync(string address, string key)
    {
        var client = new ChatClient("gpt-4o", new ApiKeyCredential(key), new OpenAIClientOptions { Endpoint = new(address + "/v1") });
        ChatCompletion answer = await client.CompleteChatAsync("Hello");
        return answer.Content[0].Text;
    }

    private static async Task<string> AnthropicAsync(string address, string key)
    {
        var client = new AnthropicClient { BaseUrl = address, ApiKey = key };
        var answer = await client.Messages.Create(
            new()
            {
                Model = "claude-sonnet-4-5",
                MaxTokens = 256,
                Messages = [new UserMessageParam { Content = "Hello" }],
            }
        );
        return answer.Content[0].TryPickText(out var text) ? text.Text : "";
    }

    private static List<string> BlocksOf(string language) =>
        [
            .. Regex
                .Matches(Page, $"^```{language}\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)
                .Select(match => match.Groups[1].Value),
        ];

    // The formatter here may break lines elsewhere than the page does.
    private static string Squeezed(string text) => Blank().Replace(text, "").Replace(",)", ")", StringComparison.Ordinal);

    [GeneratedRegex(@"Console\.WriteLine\((.*)\);")]
    private static partial Regex Printed();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blank();

    [GeneratedRegex("http://127\\.0\\.0\\.1:5080/(?:claudecode|cline|cursor|roocode)\\b")]
    private static partial Regex ToolAddress();
}
