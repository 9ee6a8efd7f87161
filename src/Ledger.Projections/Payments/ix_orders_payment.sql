-- For payment providers: which order an invoice has paid, where its refund or dispute names no payment that we know.
create index ix_orders_payment on orders (provider, payment) where payment is not null;
