-- The same, of one account.
create index ix_deliveries_account on deliveries (account_id, position, channel);
