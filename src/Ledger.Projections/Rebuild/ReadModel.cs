namespace Ledger.Projections.Rebuild;

/// <summary>A read model that can be rebuilt on its own: a named group of tables.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Tables">Its tables, in the order in which the write path locks them.</param>
/// <param name="Views">The views over them.</param>
internal sealed record ReadModel(string Name, IReadOnlyList<ReadModelTable> Tables, IReadOnlyList<string> Views)
{
    private static readonly ReadModel Balances = new(
        "balances",
        [
            new("accounts", "account_id"),
            new("pockets", "account_id", "pocket"),
            new("holds", "account_id", "hold_id"),
            new("referrals", "account_id"),
        ],
        ["balances"]
    );

    private static readonly ReadModel Payments = new(
        "payments",
        [new("billing", "account_id"), new("orders", "account_id", "order_id")],
        []
    );

    private static readonly ReadModel Keys = new(
        "keys",
        [new("keys", "account_id", "key_id"), new("sign_ins", "account_id"), new("trail", "account_id", "version")],
        []
    );
    private static readonly ReadModel Usage = new(
        "usage",
        [new("usage_hourly", "account_id", "hour", "key_id", "tool", "model")],
        ["usage_daily"]
    );
    private static readonly ReadModel Prices = new(
        "prices",
        [new("prices", "card", "entry"), new("rate_cards", "card")],
        ["model_prices", "pack_prices", "tier_prices"]
    );

    // Each row follows from a part of the log that never changes, so it is checked and mended where it stands, without a shadow.
    private static readonly ReadModel Checkpoints = new("checkpoints", [], []);

    private static readonly ReadModel Everything = new(
        "all",
        [.. Balances.Tables, .. Payments.Tables, .. Keys.Tables, .. Usage.Tables, .. Prices.Tables],
        [.. Balances.Views, .. Usage.Views, .. Prices.Views]
    );

    public static IReadOnlyList<ReadModel> All { get; } = [Balances, Payments, Keys, Usage, Prices, Checkpoints, Everything];

    public bool HasUsage => Tables.Any(table => table.Name == "usage_hourly");

    public bool HasPrices => Tables.Any(table => !table.IsOfAccounts);

    public bool HasAccounts => Tables.Any(table => table.IsOfAccounts);

    public bool HasCheckpoints => this == Checkpoints || this == Everything;

    public static ReadModel Of(string name) =>
        All.FirstOrDefault(model => model.Name == name)
        ?? throw new ArgumentException(
            $"There is no read model '{name}'. There are: {string.Join(", ", All.Select(model => model.Name))}.",
            nameof(name)
        );
}

/// <summary>One table of a read model, and its primary key.</summary>
internal sealed record ReadModelTable(string Name, params IReadOnlyList<string> Key)
{
    public bool IsOfAccounts => Key[0] == "account_id";
}
