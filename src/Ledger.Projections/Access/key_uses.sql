-- When each key was last used, to some seconds: kept in memory and written from time to time, never per request. Primary, never rebuilt, and of no account.
create table key_uses (
  account_id varchar collate "C" not null,
  key_id varchar collate "C" not null,
  last_used_at timestamptz not null,
  primary key (account_id, key_id)
)
with (fillfactor = 70);
