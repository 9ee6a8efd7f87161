-- Keys that are changed, rotated, put to rest and minted by others. What stands already is as it was: never rotated, never changed.
alter table keys
  add column minted_by varchar collate "C" null,
  add column disabled boolean not null default false,
  add column counted_from timestamptz null,
  add column secret int not null default 1,
  add column previous_secret_hash varchar collate "C" null,
  add column previous_until timestamptz null;
