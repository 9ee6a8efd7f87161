-- What each published rate card sells as packs.
create or replace view pack_prices as
select
  c.card,
  c.effective_at,
  p ->> 'id' as pack,
  p ->> 'provider' as provider,
  p ->> 'model' as model,
  (p ->> 'credits')::numeric as credits,
  (p -> 'credits_per_1m' ->> 'input')::numeric as input_credits_per_1m,
  (p -> 'credits_per_1m' ->> 'output')::numeric as output_credits_per_1m,
  (p ->> 'price_usd')::numeric as price_usd,
  (p ->> 'valid_days')::int as valid_days
from rate_cards c
cross join lateral jsonb_array_elements(c.document -> 'packs') as p;
