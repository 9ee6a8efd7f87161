-- For whoever compares the ledger with a payment provider: payments in their order.
create index ix_orders_paid_at on orders (paid_at, account_id, order_id) where paid_at is not null;
