-- For the provider that is part of this server: which subscriptions it bills next.
create index ix_billing_renewals on billing (provider, period_end, account_id) where ended_at is null;
