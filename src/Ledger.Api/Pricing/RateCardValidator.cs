using System.Text.RegularExpressions;
using FluentValidation;
using Ledger.Domain.Money;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Pricing;

/// <summary>What must be true of a rate card beyond its shape: names are lawful and unique, whatever is named exists, prices and bounds make sense.</summary>
internal sealed partial class RateCardValidator : AbstractValidator<RateCardDocument>
{
    /// <summary>The one validator: it keeps no state.</summary>
    public static readonly RateCardValidator Instance = new();

    private RateCardValidator()
    {
        RuleForEach(card => card.Tools).SetValidator(new ToolValidator()).OverridePropertyName("tools");
        RuleForEach(card => card.Services).SetValidator(new ToolValidator()).OverridePropertyName("services");
        RuleForEach(card => card.Models).SetValidator(new ModelValidator()).OverridePropertyName("models");
        RuleForEach(card => card.Packs).SetValidator(new PackValidator()).OverridePropertyName("packs");
        RuleForEach(card => card.Tiers).SetValidator(new TierValidator()).OverridePropertyName("tiers");
        RuleFor(card => card.Payg).SetValidator(new PaygValidator()).OverridePropertyName("payg");
        RuleFor(card => card.Topup).SetValidator(new TopupValidator()).OverridePropertyName("topup");
        RuleFor(card => card)
            .Custom(
                (card, context) =>
                {
                    Unique(context, "tools", "name", card.Tools.Select(tool => tool.Name));
                    Unique(context, "services", "name", card.Services.Select(service => service.Name));
                    Unique(context, "models", "model", card.Models.Select(NameOf));
                    Unique(context, "packs", "id", card.Packs.Select(pack => pack.Id));
                    Unique(context, "tiers", "id", card.Tiers.Select(tier => tier.Id));
                    References(context, card);
                }
            );
    }

    /// <summary>A name or id: letters, digits and <c>. _ : @ -</c>, beginning with a letter or digit.</summary>
    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._:@-]*\\z")]
    internal static partial Regex Name { get; }

    /// <summary>A model's name may be a path, as with providers that sell others' models.</summary>
    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._:@/-]*\\z")]
    internal static partial Regex ModelName { get; }

    /// <summary>A provider's name is part of a setting's name: lower-case letters, digits, <c>-</c> and <c>_</c>.</summary>
    [GeneratedRegex("^[a-z0-9][a-z0-9_-]*\\z")]
    internal static partial Regex ProviderName { get; }

    private static string NameOf(PricedModel model) => model.Provider + "/" + model.Model;

    private static void Unique(ValidationContext<RateCardDocument> context, string list, string member, IEnumerable<string> names)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (i, name) in names.Index())
        {
            if (!seen.Add(name))
                context.AddFailure($"{list}[{i}].{member}", $"must be unique: '{name}' stands in the list already");
        }
    }

    private static void References(ValidationContext<RateCardDocument> context, RateCardDocument card)
    {
        var models = card.Models.Select(NameOf).ToHashSet(StringComparer.Ordinal);
        foreach (var (i, model) in card.Models.Index())
        {
            var tried = new HashSet<string>(StringComparer.Ordinal) { NameOf(model) };
            foreach (var (f, fallback) in model.Fallbacks.Index())
            {
                var path = $"models[{i}].fallbacks[{f}]";
                if (!models.Contains(fallback))
                    context.AddFailure(path, $"must be the provider/model of an entry of models; there is no '{fallback}'");
                else if (!tried.Add(fallback))
                    context.AddFailure(path, $"must be another entry: '{fallback}' was tried already");
            }
        }

        foreach (var (i, pack) in card.Packs.Index())
        {
            if (!models.Contains(pack.Provider + "/" + pack.Model))
                context.AddFailure($"packs[{i}].model", $"must be an entry of models; there is no '{pack.Provider}/{pack.Model}'");
        }

        foreach (var (alias, target) in card.Aliases)
        {
            var path = "aliases." + alias;
            var stem = alias.EndsWith('*') ? alias[..^1] : alias;
            if (alias.Length > 260 || (stem.Length > 0 && !ModelName.IsMatch(stem)) || alias.Length == 0)
                context.AddFailure(path, "must be named by letters, digits and . _ : @ / -, and may end in one *");
            else if (models.Contains(alias))
                context.AddFailure(path, "must not be the name of a model: nobody could ask for that model any more");
            else if (FaultOf(alias, target, card.Aliases, models) is { } fault)
                context.AddFailure(path, fault);
        }
    }

    /// <summary>Follows an alias to its model, as a request would: an exact name first, then the longest pattern.</summary>
    private static string? FaultOf(string alias, string target, IReadOnlyDictionary<string, string> aliases, HashSet<string> models)
    {
        var passed = new HashSet<string>(StringComparer.Ordinal) { alias };
        for (var at = target; !models.Contains(at); )
        {
            var next =
                aliases.ContainsKey(at) && !at.EndsWith('*')
                    ? at
                    : aliases
                        .Keys.Where(name => name.EndsWith('*') && at.StartsWith(name[..^1], StringComparison.Ordinal))
                        .MaxBy(name => name.Length);
            if (next is null)
                return $"must lead to a model or to another alias; there is no '{at}'";
            if (!passed.Add(next))
                return "must lead to a model; it leads round in a circle";
            at = aliases[next];
        }

        return null;
    }

    private sealed class ToolValidator : AbstractValidator<PricedTool>
    {
        public ToolValidator() => RuleFor(tool => tool.Name).Named("name");
    }

    private sealed class ModelValidator : AbstractValidator<PricedModel>
    {
        public ModelValidator()
        {
            RuleFor(model => model.Provider).Matches(ProviderName).OverridePropertyName("provider").WithMessage(ProviderNameMessage);
            RuleFor(model => model.Model)
                .Matches(ModelName)
                .OverridePropertyName("model")
                .WithMessage("must be of letters, digits and . _ : @ / -, beginning with a letter or digit");
        }
    }

    private sealed class PackValidator : AbstractValidator<PricedPack>
    {
        public PackValidator()
        {
            RuleFor(pack => pack.Id).Named("id");
            RuleFor(pack => pack.Credits).Positive("credits");
            RuleFor(pack => pack.PriceUsd).Positive("price_usd").Cents("price_usd");
        }
    }

    private sealed class TierValidator : AbstractValidator<PricedTier>
    {
        public TierValidator()
        {
            RuleFor(tier => tier.Id).Named("id");
            RuleFor(tier => tier.PriceUsd).Cents("price_usd");
            RuleFor(tier => tier.Proration)
                .Must(static proration => proration is null or "time" or "none")
                .OverridePropertyName("proration")
                .WithMessage("must be time or none");
        }
    }

    private sealed class PaygValidator : AbstractValidator<PaygTerms>
    {
        public PaygValidator()
        {
            RuleFor(terms => terms.CreditsPerDollar).Positive("credits_per_dollar");
            RuleFor(terms => terms.MaxAmountUsd)
                .GreaterThanOrEqualTo(terms => terms.MinAmountUsd)
                .OverridePropertyName("max_amount_usd")
                .WithMessage("must not be less than min_amount_usd");
            RuleFor(terms => terms.Currency)
                .Equal("USD")
                .OverridePropertyName("currency")
                .WithMessage("must be USD: dollars are what the ledger counts");
        }
    }

    private sealed class TopupValidator : AbstractValidator<TopupTerms>
    {
        public TopupValidator() =>
            RuleFor(terms => terms.MaxAmountUsd)
                .GreaterThanOrEqualTo(terms => terms.MinAmountUsd)
                .OverridePropertyName("max_amount_usd")
                .WithMessage("must not be less than min_amount_usd");
    }

    private const string ProviderNameMessage = "must be of lower-case letters, digits, - and _, beginning with a letter or digit";
}

/// <summary>Rules that several parts of a rate card share.</summary>
internal static class RateCardRules
{
    private const long NanosPerCent = 10_000_000;

    /// <summary>A lawful name or id.</summary>
    public static IRuleBuilderOptions<T, string> Named<T>(this IRuleBuilderInitial<T, string> rule, string member) =>
        rule.Matches(RateCardValidator.Name)
            .OverridePropertyName(member)
            .WithMessage("must be of letters, digits and . _ : @ -, beginning with a letter or digit");

    /// <summary>More than nothing.</summary>
    public static IRuleBuilderOptions<T, Quantity> Positive<T>(this IRuleBuilder<T, Quantity> rule, string member) =>
        rule.Must(static quantity => quantity.IsPositive).OverridePropertyName(member).WithMessage("must be more than 0");

    /// <summary>A sum that somebody can be asked to pay.</summary>
    public static IRuleBuilderOptions<T, Quantity> Cents<T>(this IRuleBuilder<T, Quantity> rule, string member) =>
        rule.Must(static price => price.Nanos % NanosPerCent == 0).OverridePropertyName(member).WithMessage("must be whole cents");
}
