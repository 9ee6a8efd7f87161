-- For the sweep: holds in the order in which they lapse.
create index ix_holds_due on holds (expires_at, account_id);
