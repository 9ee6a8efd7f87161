-- Ids are derived from what may happen only once, so this index is what makes every command idempotent. Ours, not Marten's.
create unique index ux_mt_events_stream_and_id on mt_events (stream_id, id);
