-- For payment providers: whose payment was given back or is disputed.
create index ix_orders_intent on orders (provider, intent) where intent is not null;
