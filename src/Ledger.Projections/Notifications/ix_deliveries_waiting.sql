-- What waits, by account and channel: the first of each is the one that may be sent.
create index ix_deliveries_waiting on deliveries (account_id, channel, position) where state = 'waiting';
