using System.Collections.Frozen;

namespace Ledger.Domain.RateCards;

/// <summary>The models of a rate card, by every name that callers may use for them.</summary>
public sealed class ModelDirectory
{
    private readonly FrozenDictionary<string, PricedModel> _models;
    private readonly FrozenDictionary<string, string> _aliases;
    private readonly (string Stem, string Target)[] _patterns;

    /// <summary>Of a document that has been validated.</summary>
    public ModelDirectory(RateCardDocument document)
    {
        ArgumentNullException.ThrowIfNull(document);
        _models = document.Models.ToFrozenDictionary(NameOf, StringComparer.Ordinal);
        _aliases = document
            .Aliases.Where(alias => !alias.Key.EndsWith('*'))
            .ToFrozenDictionary(alias => alias.Key, alias => alias.Value, StringComparer.Ordinal);
        _patterns =
        [
            .. document
                .Aliases.Where(alias => alias.Key.EndsWith('*'))
                .Select(alias => (alias.Key[..^1], alias.Value))
                .OrderByDescending(pattern => pattern.Item1.Length),
        ];
    }

    /// <summary>The name of a model: <c>provider/model</c>.</summary>
    public static string NameOf(PricedModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Provider + "/" + model.Model;
    }

    /// <summary>The logical names that lead to one model each; patterns, which stand for many, are not among them. <c>auto</c> comes first.</summary>
    public IEnumerable<string> Aliases => _aliases.Keys.OrderBy(name => name != "auto").ThenBy(name => name, StringComparer.Ordinal);

    /// <summary>The model of its own name, <c>provider/model</c>; null where there is none.</summary>
    public PricedModel? Find(string name) => _models.GetValueOrDefault(name);

    /// <summary>The model that a name leads to, and those to try where it fails, in order; empty where it leads to none.</summary>
    public IReadOnlyList<PricedModel> Chain(string name) =>
        Resolve(name) is { } model ? [model, .. model.Fallbacks.Select(Find).OfType<PricedModel>().Where(next => next != model)] : [];

    /// <summary>
    /// The model that a name leads to: its own name, then a logical name, then the longest pattern that it fits, and so on from there. Null where it
    /// leads to none.
    /// </summary>
    public PricedModel? Resolve(string name)
    {
        // A card whose names lead round in a circle is never published; the bound is for names that callers make up.
        for (var steps = 0; steps <= _aliases.Count + _patterns.Length; steps++)
        {
            if (_models.TryGetValue(name, out var model))
                return model;
            if (_aliases.TryGetValue(name, out var target))
            {
                name = target;
                continue;
            }

            var next = Array.Find(_patterns, pattern => name.StartsWith(pattern.Stem, StringComparison.Ordinal)).Target;
            if (next is null)
                return null;
            name = next;
        }

        return null;
    }
}
