-- From a charge to its reversal, for the view of usage. Reversals are few, and nothing else is in it.
create index if not exists ix_mt_events_reversals on mt_events (stream_id, (data ->> 'spend')) where type = 'spend_reversed';
