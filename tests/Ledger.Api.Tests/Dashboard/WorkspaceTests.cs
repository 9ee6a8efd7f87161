using Ledger.Api.Tests.Gateway;
using Ledger.Domain;
using Ledger.Domain.Metering;
using Ledger.Domain.Money;
using Ledger.Domain.Wallets;
using Ledger.EventStore;
using Ledger.Projections;
using Ledger.Testing;
using Ledger.Upstream;
using Microsoft.Playwright;

namespace Ledger.Api.Tests.Dashboard;

/// <summary>A server whose provider is a stand-in, and a browser to visit it with.</summary>
public sealed class WorkspaceWorld(Browser browser) : IAsyncLifetime
{
    private int _made;

    /// <summary>The server and its provider.</summary>
    public GatewayApp Gateway { get; private set; } = null!;

    // The browser lets cookies lapse by its own clock, which no test can set.
    public async ValueTask InitializeAsync()
    {
        var now = TimeProvider.System.GetUtcNow();
        Gateway = await GatewayApp.StartAsync(
            onKestrel: true,
            clock: new() { Now = new(now.UtcTicks - (now.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero) }
        );
    }

    public ValueTask DisposeAsync() => Gateway is null ? ValueTask.CompletedTask : Gateway.DisposeAsync();

    /// <summary>A new visitor, who has no cookies yet.</summary>
    public Task<Visitor> VisitAsync() => browser.VisitAsync(Gateway.App.Http.BaseAddress!);

    /// <summary>An account with dollars, signed in and in the workspace.</summary>
    public async Task<(Visitor Visitor, AccountId Account)> EnterAsync(long dollars = 1, bool scripts = true, string? pack = null)
    {
        var email = $"chat{Interlocked.Increment(ref _made)}@example.com";
        var visitor = await browser.VisitAsync(Gateway.App.Http.BaseAddress!, scripts);
        await visitor.SignUpAsync(email);
        var id = new AccountId((string)(await Gateway.App.QueryAsync($"select account_id from people where email = '{email}'"))!);
        if (dollars > 0)
            await Gateway.App.GrantAsync(id, Amount.Usd(dollars), PocketSource.Prepaid);
        if (pack is not null)
            await Gateway.App.GrantAsync(id, Amount.Credits(20_000), PocketSource.Pack, pack, Gateway.App.Clock.Now.AddDays(365));
        await visitor.GoAsync("/workspace");
        return (visitor, id);
    }
}

/// <summary>The workspace, in a browser: what is asked is held, streamed, and charged to the account of whoever is signed in.</summary>
public sealed class WorkspaceTests(WorkspaceWorld world) : IClassFixture<WorkspaceWorld>
{
    private LedgerApp App => world.Gateway.App;

    [Fact]
    public async Task The_first_call_comes_word_by_word_and_is_charged_to_the_account_itself()
    {
        var (visitor, account) = await world.EnterAsync();
        await using var _ = visitor;
        await visitor.LookAsync("workspace-empty");
        var gate = new Gate();
        world.Gateway.Upstream.Next(UpstreamScript.Says("Hello ", "there, <b>you</b>").HoldPiece(1, gate).Using(new(100, 50)));
        await visitor.FillAsync("System prompt", "Be brief.");
        await visitor.FillAsync("Message", "Bonjour Zanzibar");
        await visitor.Page.GetByLabel("Message").PressAsync("Enter");

        // Half of it is there, and the rest is not said yet.
        await Assertions.Expect(Answer(visitor)).ToHaveTextAsync("Hello");
        await Assertions.Expect(Status(visitor)).ToHaveTextAsync("Held: $0.002037 while it answers");
        (await Figure(visitor, "held")).ShouldBe("$0.002037");
        (await Figure(visitor, "available")).ShouldBe("$0.997963");
        await visitor.LookAsync("workspace-answering");
        gate.Open();

        await Assertions.Expect(Status(visitor)).ToHaveTextAsync("Cost $0.0002. $0.9998 left.");
        await Assertions.Expect(Answer(visitor)).ToHaveTextAsync("Hello there, <b>you</b>");
        (await visitor.TextAsync()).ShouldContain("Cost $0.0002 · 100 tokens in, 50 out · openai/plain");
        (await Figure(visitor, "held")).ShouldBe("$0.00");
        (await Figure(visitor, "available")).ShouldBe("$0.9998");

        // What went on is the gateway's own doing: its events name the account, and no key.
        var stored = await App.EventsAsync(account);
        var settled = stored.Select(LedgerEvents.Types.Read).OfType<HoldSettled>().ShouldHaveSingleItem();
        (settled.Tool, settled.Key, settled.Charged).ShouldBe(
            ("workspace", default(KeyId), Amount.Usd(1) - new Amount(999_800_000, Unit.Usd))
        );
        settled.Call!.Outcome.ShouldBe(CallOutcome.Completed);
        EventHeaders.Read(stored[^1].Headers).Actor.ShouldBe("account");

        // The conversation goes on with all of it; Shift+Enter is a new line.
        world.Gateway.Upstream.Next(UpstreamScript.Says("Again").Using(new(10, 5)));
        await visitor.FillAsync("Message", "One");
        await visitor.Page.GetByLabel("Message").PressAsync("Shift+Enter");
        await visitor.Page.GetByLabel("Message").PressSequentiallyAsync("Two");
        await visitor.Page.GetByLabel("Message").PressAsync("Enter");
        await Assertions.Expect(visitor.Page.Locator("#chat-count")).ToHaveTextAsync("2 answers");
        world
            .Gateway.Upstream.Calls[^1]
            .Text.ShouldContain(
                """[{"role":"system","content":"Be brief."},{"role":"user","content":"Bonjour Zanzibar"},{"role":"assistant","content":"Hello there, <b>you</b>"},{"role":"user","content":"One\nTwo"}]"""
            );
        await visitor.LookAsync("workspace");

        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "New chat" }).ClickAsync();
        (await visitor.TextAsync()).ShouldContain("Nothing said yet");
        (
            await App.QueryAsync(
                $"select sum(requests)::text from usage_hourly where account_id = '{account}' and model = 'openai/plain' and key_id = ''"
            )
        ).ShouldBe("2");
        foreach (var one in stored)
            one.Data.ShouldNotContain("Bonjour Zanzibar", customMessage: "what is said is never stored");
    }

    [Fact]
    public async Task Stopping_ends_the_answer_and_charges_what_was_said()
    {
        var (visitor, account) = await world.EnterAsync();
        await using var _ = visitor;
        var gate = new Gate();
        world.Gateway.Upstream.Next(UpstreamScript.Says("One two three four ", "never said").HoldPiece(1, gate));
        await visitor.FillAsync("Message", "Count");
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        await Assertions.Expect(Answer(visitor)).ToHaveTextAsync("One two three four");
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Stop" }).ClickAsync();

        // The provider is not read on: its gate is still shut.
        await Assertions.Expect(Status(visitor)).ToContainTextAsync("Cost $0.0000");
        gate.Open();
        var settled = (await App.EventsAsync(account)).Select(LedgerEvents.Types.Read).OfType<HoldSettled>().ShouldHaveSingleItem();
        settled.Call!.Outcome.ShouldBe(CallOutcome.CallerGoneCut);
        settled.Call.Estimated.ShouldBeTrue();
        settled.Call.Tokens.Output.ShouldBeInRange(1, 10);
        (await Status(visitor).InnerTextAsync()).ShouldStartWith($"Cost ${settled.Charged.ToDecimalString()}.");
        (await visitor.TextAsync()).ShouldContain("Stopped · Cost");
        (await App.ReadAsync(account)).Wallet.Held(Unit.Usd).IsZero.ShouldBeTrue();
        await Assertions.Expect(visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Send" })).ToBeEnabledAsync();
    }

    [Fact]
    public async Task What_goes_wrong_is_said_in_plain_words()
    {
        var (visitor, account) = await world.EnterAsync(dollars: 0);
        await using var _ = visitor;
        (await visitor.TextAsync()).ShouldContain("There is nothing to pay with yet.");
        await SendAsync(visitor, "Hi");
        await Assertions.Expect(Answer(visitor)).ToContainTextAsync("Not enough dollars: an answer as long as you allow needs $0.0020");
        (await Answer(visitor).GetByRole(AriaRole.Link).GetAttributeAsync("href")).ShouldBe("/credits");
        (await visitor.Page.GetByLabel("Message").InputValueAsync()).ShouldBe("Hi", "it can be sent again");
        await visitor.LookAsync("workspace-refused");

        await App.GrantAsync(account, Amount.Usd(1), PocketSource.Prepaid);
        await visitor.Page.GetByLabel("Model", new() { Exact = true }).SelectOptionAsync("usd:sandbox/error-500");
        await SendAsync(visitor, "Hi");
        await Assertions.Expect(Answer(visitor)).ToHaveTextAsync("The provider failed. The call was not charged.");
        (await App.ReadAsync(account)).Wallet.Held(Unit.Usd).IsZero.ShouldBeTrue();
    }

    [Fact]
    public async Task An_answer_that_breaks_off_costs_what_was_delivered()
    {
        var (visitor, account) = await world.EnterAsync();
        await using var _ = visitor;
        await visitor.Page.GetByLabel("Model", new() { Exact = true }).SelectOptionAsync("usd:anthropic/dear");
        world.Gateway.Upstream.ForModel("up-dear", UpstreamScript.Says("Half ", "of it").CutAfter(1));
        await SendAsync(visitor, "Hi");
        await Assertions
            .Expect(Answer(visitor))
            .ToContainTextAsync("The provider failed in the middle of its answer. What was delivered was charged.");
        await Assertions.Expect(Status(visitor)).ToContainTextAsync("Cost $0.0000");
        (await App.EventsAsync(account))
            .Select(LedgerEvents.Types.Read)
            .OfType<HoldSettled>()
            .Single()
            .Call!.Outcome.ShouldBe(CallOutcome.UpstreamCut);
    }

    [Fact]
    public async Task An_answer_that_the_most_tokens_cut_says_so()
    {
        var (visitor, _) = await world.EnterAsync();
        await using var _1 = visitor;
        world.Gateway.Upstream.Next(UpstreamScript.Says("And then").Finishing(UpstreamFinish.Length).Using(new(100, 50)));
        await visitor.FillAsync("Most tokens of an answer", "50");
        await SendAsync(visitor, "Tell me all");
        await Assertions
            .Expect(visitor.Page.Locator(".turn-note").Last)
            .ToContainTextAsync("Cut at 50 tokens; allow more to go on · Cost $");
        world.Gateway.Upstream.Next(UpstreamScript.Says("The end").Using(new(100, 50)));
        await SendAsync(visitor, "Go on");
        await Assertions.Expect(visitor.Page.Locator("#chat-count")).ToHaveTextAsync("2 answers");
        (await visitor.Page.Locator(".turn-note").Last.InnerTextAsync()).ShouldNotContain("Cut");
    }

    [Fact]
    public async Task An_answer_that_ends_before_it_says_so_has_broken_off()
    {
        var (visitor, _) = await world.EnterAsync();
        await using var _1 = visitor;

        // As a proxy between does that has waited long enough.
        await visitor.Page.RouteAsync(
            "**/workspace/calls",
            route =>
                route.FulfillAsync(
                    new()
                    {
                        ContentType = "text/event-stream",
                        Body = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Half of\"}}]}\n\n",
                    }
                )
        );
        await SendAsync(visitor, "Hi");
        await Assertions.Expect(Answer(visitor)).ToContainTextAsync("The connection broke off.");
        (await Answer(visitor).InnerTextAsync()).ShouldStartWith("Half of");
        await Assertions.Expect(visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Send" })).ToBeEnabledAsync();
    }

    [Fact]
    public async Task A_new_chat_can_be_begun_while_the_old_one_is_answered_which_costs_what_was_said()
    {
        var (visitor, account) = await world.EnterAsync();
        await using var _1 = visitor;
        var gate = new Gate();
        world.Gateway.Upstream.Next(UpstreamScript.Says("One two three ", "never said").HoldPiece(1, gate));
        await SendAsync(visitor, "Count");
        await Assertions.Expect(Answer(visitor)).ToHaveTextAsync("One two three");
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "New chat" }).ClickAsync();
        await Assertions.Expect(visitor.Page.Locator("#chat-log")).Not.ToHaveAttributeAsync("aria-busy", "true");
        (await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Send" }).IsEnabledAsync()).ShouldBeTrue();
        await Assertions.Expect(Status(visitor)).ToContainTextAsync("The answer that you left cost $0.0000");
        gate.Open();
        (await App.EventsAsync(account)).Select(LedgerEvents.Types.Read).OfType<HoldSettled>().ShouldHaveSingleItem();
        world.Gateway.Upstream.Next(UpstreamScript.Says("Anew").Using(new(100, 50)));
        await SendAsync(visitor, "Hi");
        await Assertions.Expect(Answer(visitor)).ToHaveTextAsync("Anew");
        await Assertions.Expect(visitor.Page.Locator("#chat-count")).ToHaveTextAsync("1 answer");
    }

    [Fact]
    public async Task A_pack_pays_where_it_is_chosen()
    {
        var (visitor, account) = await world.EnterAsync(dollars: 0, pack: GatewayApp.OpenAiModel);
        await using var _ = visitor;
        (await visitor.Page.GetByLabel("Model", new() { Exact = true }).InputValueAsync()).ShouldBe(
            "pack:openai/plain",
            "nothing else would pay"
        );
        (await visitor.TextAsync()).ShouldContain("50000 credits in, 125000 credits out per million tokens");
        world.Gateway.Upstream.Next(UpstreamScript.Says("Packed").Using(new(100, 50)));
        await SendAsync(visitor, "Hi");
        await Assertions.Expect(Status(visitor)).ToHaveTextAsync("Cost 12 credits. 19,988 credits left.");
        await Assertions.Expect(Answer(visitor)).ToHaveTextAsync("Packed");
        (await Figure(visitor, "packs")).ShouldBe("19,988 credits");
        (await App.ReadAsync(account))
            .Wallet.AvailableInPacks(GatewayApp.OpenAiModel, App.Clock.Now)
            .ShouldBe(new(19_988_000_000, Unit.Credits));
    }

    [Fact]
    public async Task Without_a_script_the_page_says_that_it_needs_one()
    {
        var (visitor, _) = await world.EnterAsync(scripts: false);
        await using var _ = visitor;
        (await visitor.TextAsync()).ShouldContain("Scripts are off in this browser.");
        (await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Send" }).IsDisabledAsync()).ShouldBeTrue();
    }

    [Fact]
    public async Task Nobody_asks_without_the_pages_token_or_looks_at_anothers_calls()
    {
        var (visitor, account) = await world.EnterAsync();
        await using var _ = visitor;
        var request = visitor.Page.APIRequest;
        var body = """{"model":"auto","messages":[{"role":"user","content":"Hi"}]}""";
        var asked = world.Gateway.Upstream.Calls.Count;
        foreach (var path in (string[])["/workspace/calls", "/v1/chat/completions"])
        {
            foreach (var token in (string?[])[null, "forged"])
            {
                var headers = new Dictionary<string, string> { ["Content-Type"] = "application/json" };
                if (token is not null)
                    headers["X-CSRF-Token"] = token;
                (await request.PostAsync(path, new() { DataString = body, Headers = headers })).Status.ShouldBe(403);
            }
        }

        // The routes of keys take no session, however well it proves itself.
        var csrf = await visitor.Page.EvaluateAsync<string>("document.body.dataset.csrf");
        var own = new Dictionary<string, string> { ["Content-Type"] = "application/json", ["X-CSRF-Token"] = csrf };
        (await request.PostAsync("/v1/chat/completions", new() { DataString = body, Headers = own })).Status.ShouldBe(403);
        world.Gateway.Upstream.Calls.Count.ShouldBe(asked);

        own["Idempotency-Key"] = "mine";
        world.Gateway.Upstream.Next(UpstreamScript.Says("Mine").Using(new(1, 1)));
        (await request.PostAsync("/workspace/calls", new() { DataString = body, Headers = own })).Status.ShouldBe(200);
        (await (await request.GetAsync("/workspace/calls/mine")).TextAsync()).ShouldContain("\"charged\"");
        (await request.PostAsync("/workspace/calls", new() { DataString = body, Headers = own })).Status.ShouldBe(
            409,
            "one name is charged once, and nothing is kept"
        );
        (await App.QueryAsync($"select count(*)::text from kept_answers where account_id = '{account}'")).ShouldBe("0");
        var (other, _) = await world.EnterAsync();
        await using var __ = other;
        (await (await other.Page.APIRequest.GetAsync("/workspace/calls/mine")).TextAsync()).ShouldContain("\"none\"");

        await App.SuspendAsync(account);
        (await request.PostAsync("/workspace/calls", new() { DataString = body, Headers = own })).Status.ShouldBe(403);
    }

    private static async Task SendAsync(Visitor visitor, string words)
    {
        await visitor.FillAsync("Message", words);
        await visitor.Page.GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
    }

    private static ILocator Answer(Visitor visitor) => visitor.Page.Locator(".turn:not(.mine) .turn-text").Last;

    private static ILocator Status(Visitor visitor) => visitor.Page.Locator("#chat-status");

    private static Task<string> Figure(Visitor visitor, string name) => visitor.Page.Locator("#chat-" + name).InnerTextAsync();
}
