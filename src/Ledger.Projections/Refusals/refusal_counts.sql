-- What was refused, by key, code and minute. Gathered in memory and written from time to time, never with a request. Primary, never rebuilt, of no account.
create table refusal_counts (
  account_id varchar collate "C" not null,
  minute timestamptz not null,
  key_id varchar collate "C" not null,
  code varchar collate "C" not null,
  count bigint not null,
  primary key (account_id, minute, key_id, code)
);
