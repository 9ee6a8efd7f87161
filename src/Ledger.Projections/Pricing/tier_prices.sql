-- What each published rate card sells as subscriptions.
create or replace view tier_prices as
select
  c.card,
  c.effective_at,
  t ->> 'id' as tier,
  (t ->> 'price_usd')::numeric as price_usd,
  (t ->> 'credits_per_month')::numeric as credits_per_month,
  (t ->> 'tokens_per_24h')::bigint as tokens_per_24h
from rate_cards c
cross join lateral jsonb_array_elements(c.document -> 'tiers') as t;
