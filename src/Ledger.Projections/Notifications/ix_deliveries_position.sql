-- For the operator: the latest first.
create index ix_deliveries_position on deliveries (position, channel);
