using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Core;

namespace Ledger.Domain.Tests;

/// <summary>Properties with a fixed seed: a failure is the same on every machine, and is printed shrunk.</summary>
public static class Property
{
    /// <summary>Holds for so many generated cases.</summary>
    public static void ForAll<T>(Gen<T> cases, Action<T> holds, int count = 200, Func<T, IEnumerable<T>>? shrink = null) =>
        Prop.ForAll(shrink is null ? Arb.From(cases) : Arb.From(cases, shrink), holds)
            .Check(
                Config
                    .QuickThrowOnFailure.WithMaxTest(count)
                    .WithQuietOnSuccess(true)
                    .WithReplay(FSharpOption<Replay>.Some(new(new(20_260_304UL, 7UL), FSharpOption<int>.None)))
            );

    /// <summary>Shorter sequences: one half, the other, and each without one element.</summary>
    public static IEnumerable<T[]> Shorter<T>(T[] all)
    {
        ArgumentNullException.ThrowIfNull(all);
        if (all.Length > 3)
        {
            yield return all[..(all.Length / 2)];
            yield return all[(all.Length / 2)..];
        }

        for (var i = all.Length - 1; i >= 0; i--)
            yield return [.. all[..i], .. all[(i + 1)..]];
    }
}
