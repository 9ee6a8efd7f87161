using System.Text;

namespace Ledger.Api.Dashboard.Docs;

/// <summary>What can be pasted: five things to do in four languages. Tests run them.</summary>
internal static class Snippets
{
    /// <summary>The languages, by name in addresses and by label.</summary>
    public static readonly IReadOnlyList<(string Name, string Label)> Languages =
    [
        ("curl", "curl"),
        ("python", "Python"),
        ("node", "Node"),
        ("csharp", "C#"),
    ];

    /// <summary>Those of a language.</summary>
    /// <param name="language">The language's name.</param>
    /// <param name="server">This server's address, without a slash at its end.</param>
    public static IReadOnlyList<Snippet> Of(string language, string server)
    {
        var (spend, chat, messages, packs, balance) = language switch
        {
            "python" => (PythonSpend, PythonChat, PythonMessages, PythonPacks, PythonBalance),
            "node" => (NodeSpend, NodeChat, NodeMessages, NodePacks, NodeBalance),
            "csharp" => (CsharpSpend, CsharpChat, CsharpMessages, CsharpPacks, CsharpBalance),
            _ => (CurlSpend, CurlChat, CurlMessages, CurlPacks, CurlBalance),
        };
        var (plain, openAi, anthropic) = language switch
        {
            "python" => ("pip install requests", "pip install openai", "pip install anthropic"),
            "node" => (null, "npm install openai", "npm install @anthropic-ai/sdk"),
            "csharp" => (null, "dotnet add package OpenAI", "dotnet add package Anthropic"),
            _ => ((string?)null, (string?)null, (string?)null),
        };
        Snippet Made(string id, string title, string lead, string? install, string code) =>
            new(id, title, lead, install, code.Replace("SERVER", server, StringComparison.Ordinal));
        return
        [
            Made(
                "spend",
                "Spend credits on work",
                "Sent again with the same reference, it answers the same and charges nothing.",
                plain,
                spend
            ),
            Made(
                "chat",
                "Call a model, as with OpenAI",
                "Any OpenAI client works: an address and a key. Every answer is charged for what it used.",
                openAi,
                chat
            ),
            Made("messages", "Call a model, as with Anthropic", "Any Anthropic client works, too.", anthropic, messages),
            Made(
                "packs",
                "Call with a pack",
                "With a provider beside the model, the account's pack for it pays, and nothing else.",
                plain,
                packs
            ),
            Made("balance", "Ask what is left", "Credits by where they came from, held ones apart.", plain, balance),
        ];
    }

    /// <summary>How to ask for a route with curl.</summary>
    public static string CurlOf(ApiOperation operation, string server)
    {
        var curl = new StringBuilder("curl -sS");
        if (operation.Method != "GET")
            curl.Append(" -X ").Append(operation.Method);
        curl.Append(" '").Append(server).Append(operation.Path).Append('\'');
        if (operation.Token is not null)
            curl.Append(" \\\n  -H \"Authorization: Bearer $")
                .Append(operation.Token.StartsWith("the operator", StringComparison.Ordinal) ? "LEDGER_ADMIN_KEY" : "LEDGER_KEY")
                .Append('"');
        if (operation.Body is { Example: { } example } body)
            curl.Append(" \\\n  -H \"Content-Type: ")
                .Append(body.Type)
                .Append("\" \\\n  -d '")
                .Append(example.Replace("'", "'\\''", StringComparison.Ordinal))
                .Append('\'');
        return curl.ToString();
    }

    private const string CurlSpend = """
        curl -sS SERVER/api/v1/tools/spend \
          -H "Authorization: Bearer $LEDGER_KEY" \
          -H "Content-Type: application/json" \
          -d '{"tool":"chat","units":1,"reference":"first"}'
        """;

    private const string CurlChat = """
        curl -sS SERVER/v1/chat/completions \
          -H "Authorization: Bearer $LEDGER_KEY" \
          -H "Content-Type: application/json" \
          -d '{"model":"auto","messages":[{"role":"user","content":"Hello"}]}'
        """;

    private const string CurlMessages = """
        curl -sS SERVER/v1/messages \
          -H "x-api-key: $LEDGER_KEY" \
          -H "anthropic-version: 2023-06-01" \
          -H "Content-Type: application/json" \
          -d '{"model":"auto","max_tokens":256,"messages":[{"role":"user","content":"Hello"}]}'
        """;

    private const string CurlPacks = """
        curl -sS SERVER/v1/packs -H "Authorization: Bearer $LEDGER_KEY"

        curl -sS SERVER/v1/chat/completions \
          -H "Authorization: Bearer $LEDGER_KEY" \
          -H "Content-Type: application/json" \
          -d '{"provider":"deepseek","model":"deepseek-chat","messages":[{"role":"user","content":"Hello"}]}'
        """;

    private const string CurlBalance = """
        curl -sS SERVER/api/v1/credits -H "Authorization: Bearer $LEDGER_KEY"
        """;

    private const string PythonSpend = """
        import os
        import requests

        answer = requests.post(
            "SERVER/api/v1/tools/spend",
            headers={"Authorization": f"Bearer {os.environ['LEDGER_KEY']}"},
            json={"tool": "chat", "units": 1, "reference": "first"},
        )
        print(answer.status_code, answer.json())
        """;

    private const string PythonChat = """
        import os
        from openai import OpenAI

        client = OpenAI(base_url="SERVER/v1", api_key=os.environ["LEDGER_KEY"])
        answer = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hello"}])
        print(answer.choices[0].message.content)
        """;

    private const string PythonMessages = """
        import os
        from anthropic import Anthropic

        client = Anthropic(base_url="SERVER", api_key=os.environ["LEDGER_KEY"])
        answer = client.messages.create(model="auto", max_tokens=256, messages=[{"role": "user", "content": "Hello"}])
        print(answer.content[0].text)
        """;

    private const string PythonPacks = """
        import os
        import requests

        headers = {"Authorization": f"Bearer {os.environ['LEDGER_KEY']}"}
        print(requests.get("SERVER/v1/packs", headers=headers).json()["owned"])
        answer = requests.post(
            "SERVER/v1/chat/completions",
            headers=headers,
            json={"provider": "deepseek", "model": "deepseek-chat", "messages": [{"role": "user", "content": "Hello"}]},
        )
        print(answer.status_code, answer.json())
        """;

    private const string PythonBalance = """
        import os
        import requests

        answer = requests.get("SERVER/api/v1/credits", headers={"Authorization": f"Bearer {os.environ['LEDGER_KEY']}"})
        print(answer.json())
        """;

    private const string NodeSpend = """
        const answer = await fetch("SERVER/api/v1/tools/spend", {
          method: "POST",
          headers: { Authorization: `Bearer ${process.env.LEDGER_KEY}`, "Content-Type": "application/json" },
          body: JSON.stringify({ tool: "chat", units: 1, reference: "first" }),
        });
        console.log(answer.status, await answer.json());
        """;

    private const string NodeChat = """
        import OpenAI from "openai";

        const client = new OpenAI({ baseURL: "SERVER/v1", apiKey: process.env.LEDGER_KEY });
        const answer = await client.chat.completions.create({ model: "auto", messages: [{ role: "user", content: "Hello" }] });
        console.log(answer.choices[0].message.content);
        """;

    private const string NodeMessages = """
        import Anthropic from "@anthropic-ai/sdk";

        const client = new Anthropic({ baseURL: "SERVER", apiKey: process.env.LEDGER_KEY });
        const answer = await client.messages.create({
          model: "auto",
          max_tokens: 256,
          messages: [{ role: "user", content: "Hello" }],
        });
        console.log(answer.content[0].text);
        """;

    private const string NodePacks = """
        const headers = { Authorization: `Bearer ${process.env.LEDGER_KEY}`, "Content-Type": "application/json" };
        console.log((await (await fetch("SERVER/v1/packs", { headers })).json()).owned);
        const answer = await fetch("SERVER/v1/chat/completions", {
          method: "POST",
          headers,
          body: JSON.stringify({ provider: "deepseek", model: "deepseek-chat", messages: [{ role: "user", content: "Hello" }] }),
        });
        console.log(answer.status, await answer.json());
        """;

    private const string NodeBalance = """
        const answer = await fetch("SERVER/api/v1/credits", { headers: { Authorization: `Bearer ${process.env.LEDGER_KEY}` } });
        console.log(await answer.json());
        """;

    private const string CsharpSpend = """
        using System.Net.Http.Headers;
        using System.Net.Http.Json;

        using var http = new HttpClient { BaseAddress = new("SERVER") };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Environment.GetEnvironmentVariable("LEDGER_KEY"));
        var answer = await http.PostAsJsonAsync("/api/v1/tools/spend", new { tool = "chat", units = 1, reference = "first" });
        Console.WriteLine(await answer.Content.ReadAsStringAsync());
        """;

    private const string CsharpChat = """
        using System.ClientModel;
        using OpenAI;
        using OpenAI.Chat;

        var client = new ChatClient(
            "auto",
            new ApiKeyCredential(Environment.GetEnvironmentVariable("LEDGER_KEY")!),
            new OpenAIClientOptions { Endpoint = new("SERVER/v1") }
        );
        ChatCompletion answer = await client.CompleteChatAsync("Hello");
        Console.WriteLine(answer.Content[0].Text);
        """;

    private const string CsharpMessages = """
        using Anthropic;
        using Anthropic.Models.Messages;

        var client = new AnthropicClient { BaseUrl = "SERVER", ApiKey = Environment.GetEnvironmentVariable("LEDGER_KEY")! };
        var answer = await client.Messages.Create(
            new()
            {
                Model = "auto",
                MaxTokens = 256,
                Messages = [new UserMessageParam { Content = "Hello" }],
            }
        );
        Console.WriteLine(answer.Content[0].TryPickText(out var text) ? text.Text : "");
        """;

    private const string CsharpPacks = """
        using System.Net.Http.Headers;
        using System.Net.Http.Json;

        using var http = new HttpClient { BaseAddress = new("SERVER") };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Environment.GetEnvironmentVariable("LEDGER_KEY"));
        Console.WriteLine(await http.GetStringAsync("/v1/packs"));
        var answer = await http.PostAsJsonAsync(
            "/v1/chat/completions",
            new { provider = "deepseek", model = "deepseek-chat", messages = new[] { new { role = "user", content = "Hello" } } }
        );
        Console.WriteLine(await answer.Content.ReadAsStringAsync());
        """;

    private const string CsharpBalance = """
        using System.Net.Http.Headers;

        using var http = new HttpClient { BaseAddress = new("SERVER") };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Environment.GetEnvironmentVariable("LEDGER_KEY"));
        Console.WriteLine(await http.GetStringAsync("/api/v1/credits"));
        """;
}
