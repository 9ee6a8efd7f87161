using Ledger.Domain.Money;

namespace Ledger.Api.Dashboard.Workspace;

/// <summary>The workspace before anything is said.</summary>
/// <param name="Groups">What can be asked, by what pays.</param>
/// <param name="Chosen">What stands chosen at first, by its value; null where there is nothing to choose.</param>
/// <param name="Available">The dollars that may be spent now.</param>
/// <param name="Held">The dollars that are set aside.</param>
/// <param name="PacksLeft">The credits left in all packs.</param>
public sealed record WorkspaceModel(IReadOnlyList<ModelGroup> Groups, string? Chosen, Amount Available, Amount Held, Amount PacksLeft);

/// <summary>What can be asked and is paid from the same place.</summary>
/// <param name="Title">What pays, in words.</param>
/// <param name="Models">The models.</param>
public sealed record ModelGroup(string Title, IReadOnlyList<ModelChoice> Models);

/// <summary>A model that can be asked.</summary>
/// <param name="Value">Its value in the form: <c>usd:</c> or <c>pack:</c>, then its name.</param>
/// <param name="Label">Its name, and where that leads to.</param>
/// <param name="Price">What it costs, in words.</param>
/// <param name="MaxOutput">The most tokens of one answer.</param>
public sealed record ModelChoice(string Value, string Label, string Price, int MaxOutput);
