using Ledger.Projections.Payments;

namespace Ledger.Projections.Tests;

public sealed class ProviderEventsTests
{
    private static readonly DateTimeOffset Start = LedgerDatabase.Start;

    [Fact]
    public async Task What_comes_again_is_counted_and_what_came_of_it_first_stays()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        var events = new ProviderEvents(ledger.Database);
        await KeepAsync(events, "evt_1", 0, "done", account: "a000", order: "one");
        await KeepAsync(events, "evt_1", 1, "repeated");
        await KeepAsync(events, "evt_1", 2, "repeated");
        (await events.ListAsync(null, null, 10, default)).ShouldBe([
            new("stripe", "evt_1", "invoice.paid", Start, Start.AddMinutes(2), 3, "a000", "one", "done", null),
        ]);
    }

    [Fact]
    public async Task What_could_be_matched_when_it_came_again_says_so()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        var events = new ProviderEvents(ledger.Database);
        await KeepAsync(events, "evt_1", 0, "unmatched", detail: "no such subscription");
        await KeepAsync(events, "evt_1", 5, "done", account: "a000", order: "one");
        (await events.ListAsync(null, null, 10, default)).ShouldBe([
            new("stripe", "evt_1", "invoice.paid", Start, Start.AddMinutes(5), 2, "a000", "one", "done", null),
        ]);
    }

    [Fact]
    public async Task Two_providers_may_use_one_name()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        var events = new ProviderEvents(ledger.Database);
        await KeepAsync(events, "evt_1", 0, "done");
        await KeepAsync(events, "evt_1", 1, "ignored", provider: "sandbox");
        (await events.ListAsync(null, null, 10, default))
            .Select(line => $"{line.Provider} {line.Outcome}")
            .ShouldBe(["sandbox ignored", "stripe done"]);
    }

    [Fact]
    public async Task The_latest_come_first_page_by_page_and_by_outcome()
    {
        await using var ledger = await LedgerDatabase.CreateAsync();
        var events = new ProviderEvents(ledger.Database);
        for (var n = 0; n < 7; n++)
            await KeepAsync(events, $"evt_{n}", n / 2, n % 3 == 0 ? "refused" : "done", detail: n % 3 == 0 ? "amount" : null);
        var seen = new List<string>();
        (DateTimeOffset, string, string)? before = null;
        while (await events.ListAsync(null, before, 2, default) is { Count: > 0 } page)
        {
            page.Count.ShouldBeLessThanOrEqualTo(2);
            seen.AddRange(page.Select(line => line.EventId));
            before = (page[^1].LastAt, page[^1].Provider, page[^1].EventId);
        }

        seen.ShouldBe(["evt_6", "evt_5", "evt_4", "evt_3", "evt_2", "evt_1", "evt_0"]);
        (await events.ListAsync("refused", null, 10, default))
            .Select(line => $"{line.EventId} {line.Detail}")
            .ShouldBe(["evt_6 amount", "evt_3 amount", "evt_0 amount"]);
        (await events.ListAsync("mismatched", null, 10, default)).ShouldBeEmpty();
    }

    private static Task KeepAsync(
        ProviderEvents events,
        string id,
        int minute,
        string outcome,
        string provider = "stripe",
        string? account = null,
        string? order = null,
        string? detail = null
    ) => events.KeepAsync(provider, id, "invoice.paid", Start.AddMinutes(minute), account, order, outcome, detail, default);
}
