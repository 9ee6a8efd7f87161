-- What was delivered long ago is forgotten.
create index ix_deliveries_delivered on deliveries (last_at) where state = 'delivered';
