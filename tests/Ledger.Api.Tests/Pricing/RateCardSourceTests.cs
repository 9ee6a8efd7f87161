using System.Text.Json.Nodes;
using Ledger.Api.Pricing;

namespace Ledger.Api.Tests.Pricing;

/// <summary>What is wrong with a rate card, by its place.</summary>
public sealed class RateCardSourceTests
{
    private static readonly string Default = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "rate-card.json"));

    [Fact]
    public void The_default_rate_card_is_lawful() => RateCardSource.Check(Default).ShouldBeEmpty();

    /// <summary>A member of the default card, what it becomes, and the places of the faults; an empty text takes the member away.</summary>
    [Theory]
    [InlineData("tools[0].name", "\"image\"", "tools[1].name")]
    [InlineData("tools[0].name", "\"with space\"", "tools[0].name")]
    [InlineData("tools[0].name", "\"\"", "tools[0].name")]
    [InlineData("tools[0].name", "\"\\u0000\"", "tools[0].name")]
    [InlineData("tools[0].name", "", "tools[0].name")]
    [InlineData("tools[0].credits", "\"0\"", "")]
    [InlineData("tools[0].credits", "\"-1\"", "tools[0].credits")]
    [InlineData("tools[0].credits", "5", "tools[0].credits")]
    [InlineData("tools[0].credits", "\"1000000000.1\"", "tools[0].credits")]
    [InlineData("tools[0].credits", "\"0.0000000001\"", "tools[0].credits")]
    [InlineData("tools[0].colour", "\"red\"", "tools[0].colour")]
    [InlineData("tools[0]", "7", "tools[0]")]
    [InlineData("tools", "{}", "tools")]
    [InlineData("services[0].name", "\"chat\"", "")]
    [InlineData("services[1].name", "\"voice_cloning_generation\"", "services[1].name")]
    [InlineData("services[0].per", "null", "services[0].per")]
    [InlineData("models[0].provider", "\"Deep Seek\"", "models[0].provider,packs[0].model")]
    [InlineData("models[0].model", "\"gone\"", "packs[0].model")]
    [InlineData("models[1].provider", "\"deepseek\"", "aliases.auto,aliases.claude-*,aliases.gpt-*")]
    [InlineData("models[0].max_output_tokens", "0", "models[0].max_output_tokens")]
    [InlineData("models[0].context_tokens", "1.5", "models[0].context_tokens")]
    [InlineData("models[0].usd_per_1m.input", "\"free\"", "models[0].usd_per_1m.input")]
    [InlineData("models[0].usd_per_1m.cache_write_1h", "", "models[0].usd_per_1m.cache_write_1h")]
    [InlineData("models[0].usd_per_1m", "", "models[0].usd_per_1m")]
    [InlineData("models[0].fallbacks", "[\"sandbox/echo\"]", "")]
    [InlineData(
        "models[0].fallbacks",
        "[\"sandbox/gone\",\"deepseek/deepseek-chat\",\"sandbox/echo\",\"sandbox/echo\"]",
        "models[0].fallbacks[0],models[0].fallbacks[1],models[0].fallbacks[3]"
    )]
    [InlineData("aliases.auto", "\"auto\"", "aliases.auto,aliases.claude-*,aliases.gpt-*")]
    [InlineData("aliases.auto", "\"claude-3\"", "aliases.auto,aliases.claude-*,aliases.gpt-*")]
    [InlineData("aliases.auto", "7", "aliases.auto,aliases.claude-*,aliases.gpt-*")]
    [InlineData("aliases.mine", "\"claude-3\"", "")]
    [InlineData("aliases.mine", "\"nobody\"", "aliases.mine")]
    [InlineData("aliases.*", "\"auto\"", "")]
    [InlineData("aliases.a*b", "\"auto\"", "aliases.a*b")]
    [InlineData("aliases.a**", "\"auto\"", "aliases.a**")]
    [InlineData("aliases.sandbox/echo", "\"deepseek/deepseek-chat\"", "aliases.sandbox/echo")]
    [InlineData("packs[0].credits", "\"0\"", "packs[0].credits")]
    [InlineData("packs[0].price_usd", "\"9.001\"", "packs[0].price_usd")]
    [InlineData("packs[0].valid_days", "0", "packs[0].valid_days")]
    [InlineData("tiers[0].id", "\"a/b\"", "tiers[0].id")]
    [InlineData("tiers[0].tokens_per_24h", "-1", "tiers[0].tokens_per_24h")]
    [InlineData("payg.credits_per_dollar", "\"0\"", "payg.credits_per_dollar")]
    [InlineData("payg.max_amount_usd", "0", "payg.max_amount_usd")]
    [InlineData("payg.min_amount_usd", "1001", "payg.max_amount_usd")]
    [InlineData("payg.currency", "\"EUR\"", "payg.currency")]
    [InlineData("topup.min_amount_usd", "1001", "topup.max_amount_usd")]
    [InlineData("referral.referrer_credits", "\"-5\"", "referral.referrer_credits")]
    [InlineData("referral", "", "referral")]
    [InlineData("surprise", "1", "surprise")]
    public void A_fault_is_named_by_its_place(string member, string value, string places)
    {
        var card = JsonNode.Parse(Default)!;
        var last = Math.Max(member.StartsWith("aliases.", StringComparison.Ordinal) ? "aliases".Length : member.LastIndexOf('.'), 0);
        if (member.EndsWith(']'))
        {
            card["tools"]![0] = JsonNode.Parse(value);
        }
        else
        {
            var parent = (
                last == 0
                    ? []
                    : member[..last].Replace("[", ".", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal).Split('.')
            )
                .Aggregate(card, (node, name) => int.TryParse(name, out var i) ? node[i]! : node[name]!)
                .AsObject();
            var name = last == 0 ? member : member[(last + 1)..];
            if (value.Length == 0)
                parent.Remove(name);
            else
                parent[name] = JsonNode.Parse(value);
        }

        RateCardSource
            .Check(card.ToJsonString())
            .Select(fault => fault.Path)
            .Distinct()
            .ShouldBe(places.Split(',', StringSplitOptions.RemoveEmptyEntries), ignoreOrder: true);
    }

    [Fact]
    public void A_member_that_stands_twice_is_named()
    {
        var twice = Default.Replace("\"topup\"", "\"tools\": [], \"topup\"", StringComparison.Ordinal);
        RateCardSource.Check(twice).Select(fault => fault.Path).ShouldBe(["tools"]);
    }

    [Fact]
    public void A_text_that_is_no_json_is_named_by_its_line() =>
        RateCardSource.Check("{\n  \"tools\": [\n  oops").ShouldHaveSingleItem().Message.ShouldContain("line 3");
}
