using Ledger.Domain.Metering;
using Ledger.Domain.Money;

namespace Ledger.Projections.Usage;

/// <summary>What was charged, or given back, in parts.</summary>
/// <param name="Credits">Credits that no pack paid, or got back.</param>
/// <param name="Packs">Credits of packs.</param>
/// <param name="Usd">Dollars.</param>
internal readonly record struct UsageMoney(long Credits, long Packs, long Usd)
{
    public UsageMoney Plus(Amount amount, bool isPack) =>
        amount.Unit switch
        {
            Unit.Credits when isPack => this with { Packs = Packs + amount.Parts },
            Unit.Credits => this with { Credits = Credits + amount.Parts },
            Unit.Usd => this with { Usd = Usd + amount.Parts },
        };
}

/// <summary>What a row of usage adds up.</summary>
internal readonly record struct UsageSums(
    long Requests,
    Int128 Units,
    TokenUse Tokens,
    long QuotaTokens,
    UsageMoney Charged,
    UsageMoney Reversed
)
{
    /// <summary>The columns of the figures, in the order of <see cref="Figures"/>.</summary>
    public static readonly string[] Names =
    [
        "requests",
        "input_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "output_tokens",
        "quota_tokens",
        "credits",
        "pack_credits",
        "usd",
        "credits_reversed",
        "pack_credits_reversed",
        "usd_reversed",
    ];

    /// <summary>The figures apart from the units.</summary>
    public void Figures(Span<long> to)
    {
        to[0] = Requests;
        to[1] = Tokens.Input;
        to[2] = Tokens.CacheRead;
        to[3] = Tokens.CacheWrite + Tokens.CacheWrite1h;
        to[4] = Tokens.Output;
        to[5] = QuotaTokens;
        to[6] = Charged.Credits;
        to[7] = Charged.Packs;
        to[8] = Charged.Usd;
        to[9] = Reversed.Credits;
        to[10] = Reversed.Packs;
        to[11] = Reversed.Usd;
    }

    /// <summary>With what one event adds.</summary>
    public UsageSums Plus(in UsageDelta delta) =>
        new(
            Requests + delta.Requests,
            Units + delta.Units.Nanos,
            new(
                Tokens.Input + delta.Tokens.Input,
                Tokens.CacheRead + delta.Tokens.CacheRead,
                Tokens.CacheWrite + delta.Tokens.CacheWrite,
                Tokens.CacheWrite1h + delta.Tokens.CacheWrite1h,
                Tokens.Output + delta.Tokens.Output
            ),
            QuotaTokens + delta.QuotaTokens,
            Charged.Plus(delta.Charged, delta.IsPack),
            Reversed.Plus(delta.Reversed, delta.IsPack)
        );
}
