-- Everything that an account's events have moved in the books up to a version, about every 5,000 versions: statements begin here instead of at the first
-- event. Derived, and each row for itself: any of them may be deleted at any time.
create table journal_totals (
  account_id varchar collate "C" not null,
  version bigint not null,
  format smallint not null,
  last_hash bytea not null,
  moves jsonb not null,
  primary key (account_id, version)
);
