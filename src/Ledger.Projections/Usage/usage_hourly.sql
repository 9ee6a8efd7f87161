-- What was charged per UTC hour, account, key, tool and model, dated at the charge; model is empty for tools. Reversals are dated at the reversal.
-- Tokens are in disjoint classes. What packs paid is in pack_credits alone; calls on a subscription's quota cost quota_tokens and nothing else.
create table usage_hourly (
  account_id varchar collate "C" not null,
  hour timestamptz not null,
  key_id varchar collate "C" not null,
  tool varchar collate "C" not null,
  model varchar collate "C" not null,
  requests bigint not null,
  units_nanos numeric not null,
  input_tokens bigint not null,
  cache_read_tokens bigint not null,
  cache_write_tokens bigint not null,
  output_tokens bigint not null,
  quota_tokens bigint not null,
  credits bigint not null,
  pack_credits bigint not null,
  usd bigint not null,
  credits_reversed bigint not null,
  pack_credits_reversed bigint not null,
  usd_reversed bigint not null,
  primary key (account_id, hour, key_id, tool, model)
)
with (fillfactor = 70);
