-- One row per charge, straight from the log: for those who query by themselves. Nothing of the ledger reads it.
-- Indexes lead from stream_id, which is 'account-' and the account's id, and from position.
-- Whoever needs sums over long times takes usage_hourly or usage_daily; whoever copies it goes on by position.
create or replace view usage as
select
  e.seq_id as position,
  e.id as spend_id,
  e.timestamp as charged_at,
  substr(e.stream_id, 9) as account_id,
  e.version,
  e.data ->> 'key' as key_id,
  e.data ->> 'tool' as tool,
  case when e.data ? 'call' then e.data -> 'call' ->> 'provider' end as provider,
  case when e.data ? 'call' then concat_ws('/', e.data -> 'call' ->> 'provider', e.data -> 'call' ->> 'model') end as model,
  e.data ->> 'reference' as reference,
  (e.data ->> 'units')::numeric as units,
  (e.data -> 'call' -> 'tokens' ->> 'input')::bigint as input_tokens,
  (e.data -> 'call' -> 'tokens' ->> 'cacheRead')::bigint as cache_read_tokens,
  (e.data -> 'call' -> 'tokens' ->> 'cacheWrite')::bigint as cache_write_tokens,
  (e.data -> 'call' -> 'tokens' ->> 'cacheWrite1h')::bigint as cache_write_1h_tokens,
  (e.data -> 'call' -> 'tokens' ->> 'output')::bigint as output_tokens,
  (e.data -> 'call' -> 'quota' ->> 'tokens')::bigint as quota_tokens,
  (e.data -> 'call' ->> 'estimated')::boolean as estimated,
  e.data -> 'call' ->> 'outcome' as outcome,
  case when e.data -> 'charged' ? 'usd' then 'usd' else 'credits' end as unit,
  case
    when e.data -> 'charged' ? 'usd' then (e.data -> 'charged' ->> 'usd')::numeric / 1000000000
    else (e.data -> 'charged' ->> 'credits')::numeric / 1000000
  end as charged,
  (e.data ->> 'card')::bigint as card,
  e.data ->> 'entry' as entry,
  coalesce(e.data -> 'paid', (e.data -> 'fromHold') || (e.data -> 'fromAvailable')) as paid,
  coalesce((e.data -> 'debt' ->> 'usd')::numeric / 1000000000, (e.data -> 'debt' ->> 'credits')::numeric / 1000000, 0) as debt,
  (e.data ->> 'hold')::uuid as hold_id,
  (e.data ->> 'heldAt')::timestamptz as held_at,
  e.correlation_id as request_id,
  r.seq_id is not null as reversed,
  r.timestamp as reversed_at,
  e.stream_id
from mt_events e
left join mt_events r
  on r.stream_id = e.stream_id
  and r.type = 'spend_reversed'
  and r.data ->> 'spend' = e.id::text
where e.type in ('credits_spent', 'hold_settled', 'hold_settled_late');
