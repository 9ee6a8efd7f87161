-- What accounts are told, and how far that has come: one row for each event and channel. Of those that wait, an account and channel gets one at a time, in
-- the order of positions. Written by the reader "notifications" of the log; primary, never rebuilt: what was delivered is in no event.
create table deliveries (
  delivery_id uuid not null primary key,
  account_id varchar collate "C" not null,
  channel varchar collate "C" not null,
  position bigint not null,
  event_id uuid not null,
  type varchar not null,
  body text not null,
  state varchar not null,
  attempts int not null,
  queued_at timestamptz not null,
  next_at timestamptz null,
  last_at timestamptz null,
  last_status int null,
  last_error varchar null,
  created_at timestamptz not null
)
with (fillfactor = 80);
