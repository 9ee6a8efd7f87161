-- The log. Columns as Marten 9 has them, metadata columns on. No foreign key to mt_streams: it costs a fifth of the write path.
create table mt_events (
  seq_id bigint not null,
  id uuid not null,
  stream_id varchar collate "C" null,
  version bigint not null,
  data jsonb not null,
  bdata bytea null,
  type varchar(500) not null,
  timestamp timestamptz not null default now(),
  tenant_id varchar null default '*DEFAULT*',
  mt_dotnet_type varchar null,
  is_archived boolean null default false,
  correlation_id varchar null,
  causation_id varchar null,
  headers jsonb null,
  constraint pkey_mt_events_seq_id primary key (seq_id)
);
