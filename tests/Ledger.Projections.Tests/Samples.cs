using Ledger.Domain;
using Ledger.Domain.Keys;
using Ledger.Domain.Money;

namespace Ledger.Projections.Tests;

internal static class Samples
{
    public static CreateKey Key(AccountId account, string key, Amount? limit = null, KeyKind kind = KeyKind.Inference) =>
        new(
            account,
            new(key),
            "A key",
            kind,
            KeyBilling.PayPerToken,
            null,
            $"hash-{account}-{key}",
            "lk",
            "abcd",
            limit,
            null,
            LimitReset.Daily,
            [],
            null,
            null
        );
}
