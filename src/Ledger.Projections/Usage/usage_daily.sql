-- What was charged per UTC day, account, key and tool, dated at the charge. Reversals are dated at the reversal.
create table usage_daily (
  account_id varchar collate "C" not null,
  day date not null,
  key_id varchar collate "C" not null,
  tool varchar collate "C" not null,
  requests bigint not null,
  units_nanos numeric not null,
  credits bigint not null,
  usd bigint not null,
  credits_reversed bigint not null,
  usd_reversed bigint not null,
  primary key (account_id, day, key_id, tool)
)
with (fillfactor = 70);
