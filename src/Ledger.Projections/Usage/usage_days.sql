-- The hours of usage_hourly added up to UTC days, in the place of the table of days that was there before.
drop table usage_daily;

create view usage_daily as
select
  u.account_id,
  (u.hour at time zone 'UTC')::date as day,
  u.key_id,
  u.tool,
  u.model,
  sum(u.requests)::bigint as requests,
  sum(u.units_nanos) as units_nanos,
  sum(u.input_tokens)::bigint as input_tokens,
  sum(u.cache_read_tokens)::bigint as cache_read_tokens,
  sum(u.cache_write_tokens)::bigint as cache_write_tokens,
  sum(u.output_tokens)::bigint as output_tokens,
  sum(u.quota_tokens)::bigint as quota_tokens,
  sum(u.credits)::bigint as credits,
  sum(u.pack_credits)::bigint as pack_credits,
  sum(u.usd)::bigint as usd,
  sum(u.credits_reversed)::bigint as credits_reversed,
  sum(u.pack_credits_reversed)::bigint as pack_credits_reversed,
  sum(u.usd_reversed)::bigint as usd_reversed
from usage_hourly u
group by u.account_id, day, u.key_id, u.tool, u.model;
