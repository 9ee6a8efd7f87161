-- One row per stream. Columns as Marten 9 has them; ids compare bytewise, whatever the database's locale is.
create table mt_streams (
  id varchar collate "C" not null,
  type varchar null,
  version bigint null,
  timestamp timestamptz not null default now(),
  created timestamptz not null default now(),
  tenant_id varchar null default '*DEFAULT*',
  is_archived boolean null default false,
  constraint pkey_mt_streams_id primary key (id)
)
-- Every append updates its stream's row: room on the page keeps that update in place (HOT).
with (fillfactor = 50);
