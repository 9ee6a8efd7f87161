-- Which migrations have been applied. Created before any of them, hence idempotent.
create table if not exists ledger_migrations (
  component varchar collate "C" not null,
  number int not null,
  name varchar not null,
  applied_at timestamptz not null default now(),
  primary key (component, number)
);
