-- The same, in one state; and how many are dead.
create index ix_deliveries_state on deliveries (state, position, channel);
