-- Up to where the log is in journal_days: one row, written in the same transaction. Where it is missing nothing is.
create table journal_position (
  is_only boolean primary key default true check (is_only),
  position bigint not null,
  at timestamptz not null
);
