-- For whoever publishes a rate card: which packs have been sold.
create index ix_orders_item on orders (kind, item) where item is not null;
