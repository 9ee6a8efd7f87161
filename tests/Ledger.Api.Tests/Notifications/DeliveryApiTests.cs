using Ledger.Api.Tests.Dialects.Admin;
using Ledger.Testing;

namespace Ledger.Api.Tests.Notifications;

/// <summary>The operator looks at what accounts were told, and sends it again.</summary>
public sealed class DeliveryApiTests : IAsyncLifetime
{
    private const string Deliveries = "/webhooks/deliveries";
    private NotificationWorld _world = null!;

    public async ValueTask InitializeAsync() => _world = await NotificationWorld.CreateAsync();

    public ValueTask DisposeAsync() => _world.DisposeAsync();

    [Fact]
    public async Task A_delivery_is_shown_with_what_was_sent()
    {
        var account = await _world.OpenAsync();
        await _world.SpendAsync(account, 10);
        await _world.TellAsync();
        var line = (await _world.App.AdminGetAsync(Deliveries)).ShouldBe(200);
        line.Text("next").ShouldBe("null");
        var id = line.Json.GetProperty("data")[0].GetProperty("id").GetString();
        var shown = (await _world.App.AdminGetAsync($"{Deliveries}/{id}")).ShouldBe(200);
        shown
            .Json.EnumerateObject()
            .Select(member => member.Name)
            .ShouldBe([
                "id",
                "account_id",
                "channel",
                "event_id",
                "type",
                "state",
                "attempts",
                "created_at",
                "next_at",
                "last_at",
                "last_status",
                "last_error",
                "body",
            ]);
        shown.Body.ShouldBe(line.Json.GetProperty("data")[0].GetRawText());
        shown.Text("account_id").ShouldBe(account.Id.Value);
        shown.Text("channel").ShouldBe("webhook");
        shown.Text("event_id").ShouldBe(_world.Receiver.All.Single().Headers["Ledger-Event-Id"]);
        shown.Text("type").ShouldBe("credits.warning");
        shown.Text("state").ShouldBe("delivered");
        shown.Text("attempts").ShouldBe("1");
        shown.Text("created_at").ShouldBe("2026-07-03T12:00:00Z");
        shown.Text("next_at").ShouldBe("null");
        shown.Text("last_at").ShouldBe("2026-07-03T12:00:00Z");
        shown.Text("last_status").ShouldBe("200");
        shown.Text("last_error").ShouldBe("null");
        shown.Text("body").ShouldBe(_world.Receiver.All.Single().Text);
    }

    [Fact]
    public async Task Deliveries_come_newest_first_by_pages_of_one_state_or_one_account()
    {
        _world.Receiver.Answer = received => Task.FromResult(new Reply(received.Path == "/dead" ? 410 : 200));
        var (one, two) = (await _world.OpenAsync("/one", email: "one@example.com"), await _world.OpenAsync("/dead"));
        await _world.SpendAsync(one, 10);
        await _world.SpendAsync(two, 10);
        await _world.SpendAsync(one, 30);
        await _world.TellAsync();
        await _world.SpendAsync(two, 30);
        await _world.FollowAsync();
        var all = await LinesAsync("");
        all.ShouldBe([
            $"{two.Id} webhook credits.critical waiting",
            $"{one.Id} webhook credits.critical delivered",
            $"{one.Id} email credits.critical delivered",
            $"{two.Id} webhook credits.warning dead",
            $"{one.Id} webhook credits.warning delivered",
            $"{one.Id} email credits.warning delivered",
        ]);
        (await LinesAsync("&limit=1")).ShouldBe(all);
        (await LinesAsync("&limit=4")).ShouldBe(all);
        foreach (var state in (string[])["waiting", "delivered", "dead"])
            (await LinesAsync($"&limit=1&state={state}")).ShouldBe(all.Where(line => line.EndsWith(state, StringComparison.Ordinal)));
        (await LinesAsync($"&limit=2&account={one.Id}")).ShouldBe(
            all.Where(line => line.StartsWith(one.Id.Value, StringComparison.Ordinal))
        );
        (await LinesAsync($"&state=dead&account={one.Id}")).ShouldBeEmpty();
        (await LinesAsync($"&state=dead&account={two.Id}")).Count.ShouldBe(1);
        (await LinesAsync("&account=nobody")).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("state=Dead", "state")]
    [InlineData("account=no%20body", "account")]
    [InlineData("limit=0", "limit")]
    [InlineData("cursor=12", "cursor")]
    [InlineData("cursor=-1-webhook", "cursor")]
    [InlineData("cursor=12-letter", "cursor")]
    [InlineData("cursor=99999999999999999999-email", "cursor")]
    public async Task A_query_that_cannot_be_is_refused(string query, string field) =>
        (await _world.App.AdminGetAsync($"{Deliveries}?{query}")).ShouldFault(field);

    [Fact]
    public async Task What_was_given_up_or_taken_is_sent_again_with_the_same_id_and_body_and_all_its_attempts()
    {
        Answer(410);
        var account = await _world.OpenAsync();
        await _world.SpendAsync(account, 10);
        await _world.TellAsync();
        var dead = await OnlyAsync();
        dead.Text("state").ShouldBe("dead");

        // Long after: it is not too old for its schedule.
        _world.App.Clock.Advance(TimeSpan.FromDays(20));
        Answer(500);
        var replayed = (await ReplayAsync(dead.Text("id"))).ShouldBe(200);
        replayed.Text("id").ShouldBe(dead.Text("id"));
        replayed.Text("state").ShouldBe("waiting");
        replayed.Text("attempts").ShouldBe("0");
        replayed.Text("next_at").ShouldBe("2026-07-23T12:00:00Z");
        (await _world.SendAsync()).ShouldBe(1);
        (await ReplayAsync(dead.Text("id"))).ShouldBeRefusedWith(409, "delivery_waiting");
        Answer(200);
        _world.App.Clock.Advance(TimeSpan.FromSeconds(5));
        (await _world.SendAsync()).ShouldBe(1);
        (await OnlyAsync()).Text("state").ShouldBe("delivered");

        (await ReplayAsync(dead.Text("id"))).ShouldBe(200);
        (await _world.SendAsync()).ShouldBe(1);
        _world.Receiver.All.Count.ShouldBe(4);
        _world.Receiver.All.Select(received => received.Text).Distinct().ShouldHaveSingleItem();
        (await OnlyAsync()).Text("body").ShouldBe(_world.Receiver.All[0].Text);
    }

    [Theory]
    [InlineData("00000000-0000-0000-0000-000000000000")]
    [InlineData("nonsense")]
    public async Task What_there_is_not_is_404(string id)
    {
        (await _world.App.AdminGetAsync($"{Deliveries}/{id}")).ShouldBeRefusedWith(404, "delivery_not_found");
        (await ReplayAsync(id)).ShouldBeRefusedWith(404, "delivery_not_found");
    }

    [Fact]
    public async Task Nobody_else_gets_in()
    {
        var account = await _world.App.OpenAccountAsync();
        foreach (var key in (string?[])[null, "ledger_admin_of_nobody", account.Key])
        {
            (await _world.App.GetAsync("/admin" + Deliveries, key)).ShouldBeRefusedWith(401, "auth_required");
            (await _world.App.PostAsync($"/admin{Deliveries}/{Guid.Empty}/replay", key)).ShouldBeRefusedWith(401, "auth_required");
        }
    }

    private void Answer(int status) => _world.Receiver.Answer = _ => Task.FromResult(new Reply(status));

    private async Task<Answer> OnlyAsync()
    {
        var id = (await _world.App.AdminGetAsync(Deliveries)).ShouldBe(200).Json.GetProperty("data").EnumerateArray().Single();
        return (await _world.App.AdminGetAsync($"{Deliveries}/{id.GetProperty("id").GetString()}")).ShouldBe(200);
    }

    private Task<Answer> ReplayAsync(string? id) => _world.App.PostAsync($"/admin{Deliveries}/{id}/replay", LedgerApp.AdminKey);

    /// <summary>Every page of a list, from the first to the last.</summary>
    private async Task<List<string>> LinesAsync(string query)
    {
        var lines = new List<string>();
        for (var cursor = ""; ; )
        {
            var page = (await _world.App.AdminGetAsync($"{Deliveries}?{cursor}{query}")).ShouldBe(200);
            foreach (var line in page.Json.GetProperty("data").EnumerateArray())
                lines.Add(
                    string.Join(' ', new[] { "account_id", "channel", "type", "state" }.Select(name => line.GetProperty(name).GetString()))
                );
            if (page.Text("next") is null or "null")
                return lines;
            cursor = "cursor=" + page.Text("next");
        }
    }
}
