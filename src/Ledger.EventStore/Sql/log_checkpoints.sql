-- Signed checkpoints of the log: what each of its parts was when it was read. Primary, never rebuilt; rows are only ever added.
create table log_checkpoints (
  number bigint not null primary key,
  after_position bigint not null,
  position bigint not null,
  count bigint not null,
  gaps bigint[] not null, -- first and last position of each run without an event
  root bytea not null,
  previous bytea not null,
  at timestamptz not null,
  key_id varchar collate "C" not null,
  signature bytea not null,
  segments bytea not null -- the tree's nodes over each 64 events: they follow from the root, and tell where it differs
);
create unique index ux_log_checkpoints_position on log_checkpoints (position);
