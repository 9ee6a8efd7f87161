-- What was charged before there were hours, from the log; once, at the upgrade. A rebuild does the same.
insert into usage_hourly (
  account_id, hour, key_id, tool, model, requests, units_nanos,
  input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, quota_tokens,
  credits, pack_credits, usd, credits_reversed, pack_credits_reversed, usd_reversed
)
select
  substr(e.stream_id, 9),
  date_trunc('hour', e.timestamp, 'UTC'),
  coalesce(e.data ->> 'key', ''),
  e.data ->> 'tool',
  '',
  count(*) filter (where e.type <> 'spend_reversed'),
  coalesce(sum((e.data ->> 'units')::numeric * 1000000000) filter (where e.type <> 'spend_reversed'), 0),
  0,
  0,
  0,
  0,
  0,
  coalesce(sum((e.data -> 'charged' ->> 'credits')::bigint), 0),
  0,
  coalesce(sum((e.data -> 'charged' ->> 'usd')::bigint), 0),
  coalesce(sum((e.data -> 'amount' ->> 'credits')::bigint) filter (where e.type = 'spend_reversed'), 0),
  0,
  coalesce(sum((e.data -> 'amount' ->> 'usd')::bigint) filter (where e.type = 'spend_reversed'), 0)
from mt_events e
where e.type in ('credits_spent', 'hold_settled', 'hold_settled_late', 'spend_reversed')
group by 1, 2, 3, 4;
