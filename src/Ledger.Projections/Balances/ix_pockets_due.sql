-- For the sweep: pockets that will lapse with something in them. Changes only when a pocket opens or empties, so updates stay in place.
create index ix_pockets_due on pockets (expires_at) where expires_at is not null;
