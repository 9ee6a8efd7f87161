-- For payment providers: whose order a page of theirs is for.
create unique index ix_orders_session on orders (provider, session) where session is not null;
