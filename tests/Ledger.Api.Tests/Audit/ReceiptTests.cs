using System.Text;
using System.Text.Json;
using Ledger.Api.Audit;
using Ledger.Domain;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;
using Ledger.Domain.Payments;
using Ledger.Domain.Wallets;
using Ledger.Testing;

namespace Ledger.Api.Tests.Audit;

/// <summary>Receipts: what they say, what they prove without us, and that nothing in them can be changed.</summary>
public sealed class ReceiptTests
{
    [Fact]
    public async Task A_spend_is_proven_with_its_price_and_what_paid_it()
    {
        await using var world = await AuditWorld.CreateAsync();
        var id = await world.SpendAsync(world.Ada, "r1", new { order = "ü\"\\" });
        var early = (await ReceiptAsync(world, id)).ShouldBe(200);
        (early.Text("data", "pending"), early.Text("data", "proof")).ShouldBe(("true", "null"));
        Check(early).IsGood.ShouldBeFalse();
        Check(early).Lines[0].ShouldStartWith("Not proven yet");

        await world.Publisher.PublishAsync(default);
        var receipt = (await ReceiptAsync(world, id)).ShouldBe(200);
        receipt.Text("data", "pending").ShouldBe("false");
        receipt.Text("data", "spend", "charged").ShouldBe("10");
        receipt.Text("data", "spend", "what").ShouldBe("chat");
        receipt.Text("data", "spend", "price", "entry").ShouldBe("tools/chat");
        receipt.Text("data", "spend", "price", "rates", "credits").ShouldBe("5");
        var paid = receipt.Json.GetProperty("data").GetProperty("spend").GetProperty("paid")[0];
        paid.GetProperty("granted").GetProperty("provider").GetString().ShouldBe("test");
        paid.GetProperty("amount").GetInt32().ShouldBe(10);
        receipt
            .Json.GetProperty("data")
            .GetProperty("evidence")
            .EnumerateArray()
            .Select(e => e.GetProperty("role").GetString())
            .ShouldBe(["rate_card", "grant"], ignoreOrder: true);
        receipt.Json.GetProperty("data").GetProperty("checkpoints").GetArrayLength().ShouldBe(2);
        var verdict = Check(receipt);
        verdict.IsGood.ShouldBeTrue(string.Join('\n', verdict.Lines));
        verdict.Lines[0].ShouldContain($"account {world.Ada.Id} was charged 10 credits");
        verdict.Lines[^1].ShouldContain("The key comes from the receipt itself");

        // Given back: the receipt says so, and says that it is not proven yet.
        await world.App.ExecuteAsync(new ReverseSpend(world.Ada.Id, new(Guid.Parse(id)), "sorry"));
        var reversed = (await ReceiptAsync(world, id)).ShouldBe(200);
        reversed.Text("data", "spend", "reversal", "reason").ShouldBe("sorry");
        verdict = Check(reversed);
        verdict.IsGood.ShouldBeFalse();
        verdict.Lines.ShouldContain(line => line.StartsWith("Not proven yet: its reversal", StringComparison.Ordinal));
        verdict.Lines.ShouldNotContain(line => line.StartsWith("Given back", StringComparison.Ordinal));
        await world.Publisher.PublishAsync(default);
        receipt = await ReceiptAsync(world, id);
        verdict = Check(receipt);
        verdict.IsGood.ShouldBeTrue(string.Join('\n', verdict.Lines));
        verdict.Lines.ShouldNotContain(line => line.StartsWith("Not proven yet", StringComparison.Ordinal));
        verdict.Lines.ShouldContain(line => line.StartsWith("Given back", StringComparison.Ordinal));

        // A reversal that somebody has invented is not told of as a fact, and ends with 1.
        var file = Path.Combine(world.App.DataFolder, "receipt.json");
        await File.WriteAllBytesAsync(file, Forge(receipt, "reversal"));
        var (code, output, error) = await world.RunAsync("audit", "receipt", file);
        (code, output).ShouldBe((1, ""));
        error.ShouldContain("Not proven yet: its reversal");
        error.ShouldNotContain("Given back");
    }

    [Fact]
    public async Task One_byte_of_anything_changed_is_refused()
    {
        await using var world = await AuditWorld.CreateAsync();
        var id = await world.SpendAsync(world.Ada, "r1", new { a = 1 });
        await world.Publisher.PublishAsync(default);
        var text = Encoding.UTF8.GetBytes((await ReceiptAsync(world, id)).Body);
        ReceiptCheck.Check(text, ReceiptAnchors.None).IsGood.ShouldBeTrue();
        var accepted = new List<int>();
        Parallel.For(
            0,
            text.Length / 3,
            n =>
            {
                var changed = text.ToArray();
                var at = n * 3;
                changed[at] ^= (byte)(n % 2 == 0 ? 1 : 4);
                if (ReceiptCheck.Check(changed, ReceiptAnchors.None).IsGood)
                    lock (accepted)
                        accepted.Add(at);
            }
        );
        accepted.ShouldBeEmpty(
            string.Join(
                '\n',
                accepted
                    .Take(5)
                    .Select(at => Encoding.UTF8.GetString(text, Math.Max(0, at - 40), Math.Min(80, text.Length - Math.Max(0, at - 40))))
            )
        );
        ReceiptCheck.Check(text.AsMemory(0, text.Length - 1), ReceiptAnchors.None).IsGood.ShouldBeFalse();
        ReceiptCheck.Check(Encoding.UTF8.GetBytes("{}"), ReceiptAnchors.None).IsGood.ShouldBeFalse();
        ReceiptCheck.Check(Encoding.UTF8.GetBytes("[1]"), ReceiptAnchors.None).IsGood.ShouldBeFalse();
        ReceiptCheck.Check(default, ReceiptAnchors.None).IsGood.ShouldBeFalse();
    }

    [Fact]
    public async Task What_is_kept_outside_is_what_decides()
    {
        await using var world = await AuditWorld.CreateAsync();
        await using var other = await AuditWorld.CreateAsync();
        var id = await world.SpendAsync(world.Ada, "r1");
        var before = world.Keep();
        await world.Publisher.PublishAsync(default);
        var file = Path.Combine(world.App.DataFolder, "receipt.json");
        var keys = Path.Combine(world.App.DataFolder, "keys.json");
        var theirs = Path.Combine(world.App.DataFolder, "theirs.json");
        await File.WriteAllTextAsync(file, (await ReceiptAsync(world, id)).Body);
        await File.WriteAllTextAsync(keys, (await world.App.GetAsync("/v1/checkpoints/keys")).Body);
        await File.WriteAllTextAsync(theirs, (await other.App.GetAsync("/v1/checkpoints/keys")).Body);

        (await world.RunAsync("audit", "receipt", file)).Code.ShouldBe(0);
        (await world.RunAsync("audit", "receipt", file, "--key", keys)).Output.ShouldContain("signed by a key that was given");
        (await world.RunAsync("audit", "receipt", file, "--checkpoints", world.File.Path)).Output.ShouldContain(
            "one that was kept outside"
        );

        // Kept before: by the key that it names.
        (await world.RunAsync("audit", "receipt", file, "--checkpoints", before.Path)).Code.ShouldBe(0);
        (await world.RunAsync("audit", "receipt", file, "--key", theirs)).Error.ShouldContain("not signed by the key that was given");
        var (code, output, error) = await world.RunAsync("audit", "receipt", file, "--checkpoints", other.File.Path);
        (code, output).ShouldBe((1, ""));
        error.ShouldContain("not the one that was kept");
        (await world.RunAsync("audit", "receipt", file + ".gone")).Error.ShouldContain("cannot be read");
        (await world.RunAsync("audit", "receipt", file, "--key", file)).Error.ShouldContain("no JSON Web Key");
        (await world.RunAsync("audit", "receipt", file, "--checkpoints", file)).Code.ShouldBe(1);
        (await world.RunAsync("audit", "receipt", keys)).Error.ShouldContain("The receipt is not good");
        (await world.RunAsync("audit", "receipt")).Code.ShouldBe(2);
    }

    [Fact]
    public async Task It_is_for_the_account_itself_and_for_spends_only()
    {
        await using var world = await AuditWorld.CreateAsync();
        var id = await world.SpendAsync(world.Bob, "r1");
        (await ReceiptAsync(world, id)).ShouldBe(404).Text("error", "code").ShouldBe("spend_not_found");
        (await ReceiptAsync(world, "nothing")).ShouldBe(404);
        (await ReceiptAsync(world, (await world.App.EventsAsync(world.Ada.Id))[0].Id.ToString())).ShouldBe(404);
        (await world.App.GetAsync("/v1/account/receipts/" + id, world.Bob.Key)).ShouldBe(403);
        (await world.App.GetAsync("/v1/account/receipts/" + id)).ShouldBe(401);
    }

    [Fact]
    public async Task A_call_a_hold_and_an_order_are_proven_too()
    {
        await using var world = await AuditWorld.CreateAsync();
        var account = world.Ada.Id;
        await world.App.GrantAsync(account, Amount.Usd(10), PocketSource.Prepaid);
        var answer = (
            await world.App.PostAsync(
                "/v1/chat/completions",
                world.Ada.Key,
                new { model = "sandbox/echo", messages = new[] { new { role = "user", content = "hello" } } }
            )
        ).ShouldBe(200);
        await world.Publisher.PublishAsync(default);
        var receipt = (await ReceiptAsync(world, answer.Header("x-ledger-spend-id")!)).ShouldBe(200);
        receipt.Text("data", "spend", "kind").ShouldBe("settlement");
        receipt.Text("data", "spend", "call", "provider").ShouldBe("sandbox");
        receipt.Text("data", "spend", "call", "usage").ShouldNotBeNull();
        receipt.Text("data", "spend", "hold", "asked").ShouldBe("sandbox/echo");
        receipt.Text("data", "spend", "unit").ShouldBe("usd");
        Check(receipt).ShouldSatisfyAllConditions(verdict => verdict.IsGood.ShouldBeTrue(string.Join('\n', verdict.Lines)));
        Refuses(receipt, "rate_card", "hold", "grant");

        // Bought credits: order and payment stand behind the grant.
        var order = new OrderId("order00000000001");
        await world.App.ExecuteAsync(new OpenOrder(world.Bob.Id, order, OrderKind.Payg, null, Amount.Usd(5), "stripe", null));
        await world.App.ExecuteAsync(
            new ConfirmPayment(world.Bob.Id, order, new("stripe", "cs", "pi", Amount.Usd(5), "USD", null, null, world.App.Clock.Now))
        );
        var (_, provisioning) = await world.App.CreateKeyAsync(world.Bob.Id, KeyKind.Provisioning);
        var id = (
            await world.App.PostAsync(
                "/api/v1/tools/spend",
                world.Bob.Key,
                new
                {
                    tool = "chat",
                    units = 30,
                    reference = "large",
                }
            )
        ).ShouldBe(200).Header("x-ledger-spend-id")!;
        await world.Publisher.PublishAsync(default);
        receipt = (await world.App.GetAsync("/v1/account/receipts/" + id, provisioning)).ShouldBe(200);
        var paid = receipt.Json.GetProperty("data").GetProperty("spend").GetProperty("paid").EnumerateArray().ToList();
        paid.Count.ShouldBe(2);
        var bought = paid[1].GetProperty("granted").GetProperty("order");
        bought.GetProperty("order_id").GetString().ShouldBe(order.Value);
        bought.GetProperty("payment_id").GetString().ShouldNotBeNullOrEmpty();
        Check(receipt).ShouldSatisfyAllConditions(verdict => verdict.IsGood.ShouldBeTrue(string.Join('\n', verdict.Lines)));
        Refuses(receipt, "rate_card", "grant", "order", "payment");
    }

    /// <summary>Anybody can invent what a charge follows from, and make the receipt anew around it: what no checkpoint covers proves nothing.</summary>
    private static void Refuses(Answer receipt, params string[] roles)
    {
        foreach (var role in roles)
            ReceiptCheck
                .Check(Forge(receipt, role), ReceiptAnchors.None)
                .ShouldSatisfyAllConditions(
                    verdict => verdict.IsGood.ShouldBeFalse(role),
                    verdict => verdict.Lines.ShouldBe([$"The receipt is not good: the event of its {role} is not proven."])
                );
    }

    /// <summary>The receipt with another event in a role, and with no more checkpoints and keys than the others need.</summary>
    private static byte[] Forge(Answer receipt, string role)
    {
        var genuine = Receipt.Read(receipt.Json.GetProperty("data"));
        var forged = genuine.Evidence.Last(evidence => evidence.Role == role);
        var stored = forged.Event.Stored;
        List<ReceiptEvidence> evidence =
        [
            .. genuine.Evidence.Select(one =>
                one == forged ? new(role, new(stored with { At = stored.At.AddDays(-1) }, forged.Event.Previous), null) : one
            ),
        ];
        var covering = evidence.Select(one => one.Proof?.Checkpoint).ToHashSet();
        var checkpoints = genuine.Checkpoints.Where(signed => covering.Contains(signed.Checkpoint.Number)).ToList();
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
            new Receipt(
                genuine.Account,
                genuine.Spend,
                evidence,
                checkpoints,
                [.. genuine.Keys.Where(key => checkpoints.Exists(signed => signed.Checkpoint.KeyId == key.Id))]
            ).Write(json);
        return text.ToArray();
    }

    private static Task<Answer> ReceiptAsync(AuditWorld world, string id) =>
        world.App.GetAsync("/v1/account/receipts/" + id, world.AdaProvisioning);

    private static ReceiptVerdict Check(Answer receipt) => ReceiptCheck.Check(Encoding.UTF8.GetBytes(receipt.Body), ReceiptAnchors.None);
}
