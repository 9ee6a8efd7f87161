-- Why nobody may work with this ledger yet: an import or a restore that has not come to its end. Empty in ordinary times.
create table if not exists ledger_closures (
  what varchar collate "C" not null primary key,
  detail varchar not null,
  at timestamptz not null default now()
);
