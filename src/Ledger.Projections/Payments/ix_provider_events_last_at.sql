-- For the operator: the latest first.
create index ix_provider_events_last_at on provider_events (last_at, provider, event_id);
