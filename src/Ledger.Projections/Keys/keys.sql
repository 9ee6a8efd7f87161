-- Every key ever created. used and used_usd count the current limit period, and only where there is a limit.
create table keys (
  account_id varchar collate "C" not null,
  key_id varchar collate "C" not null,
  name varchar not null,
  kind varchar not null,
  billing varchar not null,
  environment varchar null,
  secret_hash varchar collate "C" not null,
  prefix varchar not null,
  last_four varchar not null,
  credit_limit bigint null,
  usd_limit bigint null,
  limit_reset varchar not null,
  allowed_models varchar[] not null,
  rate_burst int null,
  rate_refill_nanos bigint null,
  rate_unlimited boolean null,
  expires_at timestamptz null,
  created_at timestamptz not null,
  revoked_at timestamptz null,
  limit_window bigint not null,
  used bigint not null,
  used_usd bigint not null,
  primary key (account_id, key_id)
)
with (fillfactor = 70);
