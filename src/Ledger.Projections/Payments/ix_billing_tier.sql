-- For whoever publishes a rate card: which levels are in use.
create index ix_billing_tier on billing (tier) where ended_at is null;
