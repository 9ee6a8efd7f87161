using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Ledger.Api.Notifications;
using Ledger.Api.Tests.Docs;

namespace Ledger.Api.Tests.Notifications;

/// <summary>Webhooks are signed as Stripe signs, and what the documents show verifies that.</summary>
public sealed partial class SignatureTests
{
    private const string Secret = "whsec_0123456789abcdefghijABCDEFGHIJ01";
    private const string Body = """{"id":"evt_1","type":"credits.warning","data":{"tool":"Übersetzung"}}""";
    private static readonly DateTimeOffset At = DateTimeOffset.FromUnixTimeSeconds(1_783_080_000);

    [Fact]
    public void A_signature_is_the_hmac_of_the_time_a_point_and_the_body()
    {
        // printf '%s' '1783080000.{"id":…}' | openssl dgst -sha256 -hmac "$SECRET"
        WebhookSignature
            .Of(Secret, Encoding.UTF8.GetBytes(Body), At)
            .ShouldBe("t=1783080000,v1=5f9a5f43c56989c4210eea5b0bb32e3813f4247bddcc1a26aa5564f6e34452cf");
    }

    [Fact]
    public async Task What_is_sent_verifies_with_the_secret_of_the_account()
    {
        await using var world = await NotificationWorld.CreateAsync();
        var account = await world.OpenAsync();
        var secret = (await world.Targets.SetAsync(account.Id, world.Receiver.Address + "/new", false)).ShouldNotBeNull();
        await world.SpendAsync(account, 10);
        await world.TellAsync();
        var received = world.Receiver.All.Single();
        received.Headers["Ledger-Signature"].ShouldBe(WebhookSignature.Of(secret, received.Body, world.App.Clock.Now));
    }

    [Theory]
    [InlineData(
        "python",
        "python3",
        "print(verify(body, sys.argv[1], sys.argv[2], now=int(sys.argv[3])))",
        "import sys\nbody = sys.stdin.buffer.read()"
    )]
    [InlineData(
        "javascript",
        "node",
        "console.log(verify(body, process.argv[2], process.argv[3], Number(process.argv[4])) ? 'True' : 'False')",
        "import { readFileSync } from 'node:fs';\nconst body = readFileSync(0);"
    )]
    public async Task What_the_documents_show_takes_the_right_and_refuses_all_else(
        string language,
        string program,
        string call,
        string read
    )
    {
        var page = Repository.Read("docs/reference/webhooks.md");
        var shown = Block().Matches(page).Single(block => block.Groups["language"].Value == language).Groups["code"].Value;
        var script = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + (language == "python" ? ".py" : ".mjs"));
        await File.WriteAllTextAsync(script, $"{shown}\n{read}\n{call}\n");
        try
        {
            var header = WebhookSignature.Of(Secret, Encoding.UTF8.GetBytes(Body), At);
            var now = At.ToUnixTimeSeconds();
            (await RunAsync(Body, header, Secret, now)).ShouldBe("True");
            (await RunAsync(Body, header, Secret, now + 299)).ShouldBe("True");
            (await RunAsync(Body, $"t={now},v1={new string('0', 64)},v1={header[^64..]}", Secret, now)).ShouldBe("True");
            (await RunAsync(Body.Replace("warning", "recover", StringComparison.Ordinal), header, Secret, now)).ShouldBe("False");
            (await RunAsync(Body, header, Secret[..^1] + "2", now)).ShouldBe("False");
            (await RunAsync(Body, header.Replace("t=1", "t=2", StringComparison.Ordinal), Secret, now)).ShouldBe("False");
            (await RunAsync(Body, header, Secret, now + 301)).ShouldBe("False");
            (await RunAsync(Body, "nonsense", Secret, now)).ShouldBe("False");
            (await RunAsync(Body, $"t={now}", Secret, now)).ShouldBe("False");
        }
        finally
        {
            File.Delete(script);
        }

        async Task<string> RunAsync(string body, string header, string secret, long now)
        {
            var start = new ProcessStartInfo(
                program,
                [script, header, secret, now.ToString(System.Globalization.CultureInfo.InvariantCulture)]
            )
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            using var process = Start(start);
            await process.StandardInput.BaseStream.WriteAsync(Encoding.UTF8.GetBytes(body));
            process.StandardInput.Close();
            var errors = process.StandardError.ReadToEndAsync();
            var output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            process.ExitCode.ShouldBe(0, await errors);
            return output.Trim();
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException($"There is no {start.FileName}; the tests of the documents need it.", e);
        }
    }

    [GeneratedRegex(
        "^```(?<language>[a-z]+)\n(?<code>.*?)^```",
        RegexOptions.Singleline | RegexOptions.Multiline | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Block();
}
