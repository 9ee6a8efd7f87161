-- For the sweep: pockets in the order in which they lapse. None of its columns ever changes, so updates stay in place.
create index ix_pockets_due on pockets (expires_at, account_id) where expires_at is not null;
