-- The whole state of an account, about every 5,000 versions: what it was at any version is folded from here instead of from its first event.
-- Derived, and each row for itself: any of them may be deleted at any time.
create table account_checkpoints (
  account_id varchar collate "C" not null,
  version bigint not null,
  format smallint not null,
  at timestamptz not null,
  last_hash bytea not null,
  state jsonb not null,
  primary key (account_id, version)
);
