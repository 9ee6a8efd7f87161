using Ledger.EventStore;

namespace Ledger.Projections;

/// <summary>The schema of the read models and of the primary tables beside them.</summary>
public static class ReadModelMigrations
{
    /// <summary>All steps so far.</summary>
    public static IReadOnlyList<Migration> All { get; } =
    [
        new(
            "read-models",
            1,
            "accounts, pockets, holds, keys, usage, prices",
            Sql(
                "accounts.sql",
                "pockets.sql",
                "ix_pockets_due.sql",
                "holds.sql",
                "ix_holds_due.sql",
                "balances.sql",
                "keys.sql",
                "ux_keys_secret_hash.sql",
                "usage_daily.sql",
                "prices.sql"
            )
        ),
        new(
            "read-models",
            2,
            "keys change and rotate, sign-ins end, referrals, access trail",
            Sql(
                "key_life_cycle.sql",
                "ix_keys_previous_secret_hash.sql",
                "sign_ins.sql",
                "trail.sql",
                "referrals.sql",
                "ix_accounts_referral_code.sql"
            )
        ),
        new(
            "read-models",
            3,
            "subscriptions, orders, clawbacks, whole rate cards",
            Sql(
                "clawed_back.sql",
                "balances.sql",
                "billing.sql",
                "ix_billing_due.sql",
                "ix_billing_reference.sql",
                "ix_billing_renewals.sql",
                "ix_billing_tier.sql",
                "orders.sql",
                "ix_orders_session.sql",
                "ix_orders_intent.sql",
                "ix_orders_payment.sql",
                "ix_orders_paid_at.sql",
                "ix_orders_item.sql",
                "rate_cards.sql",
                "model_prices.sql",
                "pack_prices.sql",
                "tier_prices.sql"
            )
        ),
        new("read-models", 4, "holds of calls", Sql("call_holds.sql")),
        new("read-models", 5, "usage by hour and model", Sql("usage_hourly.sql", "usage_days.sql")),
        new("access-history", 1, "sign-ins and access trail of accounts that were there before", Sql("access_history.sql")),
        new("usage-history", 1, "usage by hour of what was charged before", Sql("usage_history.sql")),
        new("rate-card-history", 1, "rate cards that were there before", Sql("rate_card_history.sql")),
        new("checkpoints", 1, "state checkpoints of accounts", Sql("account_checkpoints.sql")),
        new("people", 1, "people and credentials", Sql("people.sql", "credentials.sql")),
        new(
            "access",
            1,
            "signing keys, protection keys, one-time codes, uses of keys",
            Sql("signing_keys.sql", "protection_keys.sql", "one_time_codes.sql", "key_uses.sql")
        ),
        new(
            "payments",
            1,
            "what payment providers have told",
            Sql("provider_events.sql", "ix_provider_events_last_at.sql", "sandbox_cards.sql")
        ),
        new("gateway", 1, "answers of named calls, for a day", Sql("kept_answers.sql", "ix_kept_answers_kept_at.sql")),
        new("journal", 1, "the books", Sql("journal_days.sql", "journal_position.sql", "journal_totals.sql")),
        new("reports", 1, "one row per charge, for those who query by themselves", Sql("usage.sql")),
        new("reports", 2, "and the stream of each, by which an index finds an account's", Sql("usage.sql")),
        new("reports", 3, "from each to its reversal by an index", Sql("ix_mt_events_reversals.sql", "usage.sql")),
        new("journal", 2, "the books as of a position", Sql("journal_marks.sql")),
        new(
            "notifications",
            1,
            "where accounts want to be told what happens to them, and what they are told",
            Sql(
                "notification_targets.sql",
                "deliveries.sql",
                "ux_deliveries_event_id.sql",
                "ix_deliveries_waiting.sql",
                "ix_deliveries_delivered.sql",
                "ix_deliveries_position.sql",
                "ix_deliveries_account.sql",
                "ix_deliveries_state.sql"
            )
        ),
        new("audit", 1, "signed checkpoints of the log, and their keys", LogSql("log_checkpoints.sql", "checkpoint_keys.sql")),
        new(
            "refusals",
            1,
            "what was refused: counts, and some of it in full",
            Sql(
                "refusal_counts.sql",
                "ix_refusal_counts_minute.sql",
                "refusal_samples.sql",
                "ix_refusal_samples_newest.sql",
                "ix_refusal_samples_at.sql"
            )
        ),
        new("access", 2, "the operator's sessions that were signed out", Sql("operator_sign_outs.sql")),
    ];

    /// <summary>Tables that are about the log itself, not about what its events mean.</summary>
    private static string LogSql(params string[] files) =>
        string.Join("\n", files.Select(file => SqlFile.Read(typeof(LogReader).Assembly, file)));

    private static string Sql(params string[] files) =>
        string.Join("\n", files.Select(file => SqlFile.Read(typeof(ReadModelMigrations).Assembly, file)));
}
