-- For the sweep: accounts in the order in which a period, an order or a purchase of theirs is due.
create index ix_billing_due on billing (due_at, account_id) where due_at is not null;
