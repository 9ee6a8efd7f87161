-- What each published rate card charges for a model's tokens, in dollars per million.
create or replace view model_prices as
select
  c.card,
  c.effective_at,
  m ->> 'provider' as provider,
  m ->> 'model' as model,
  (m -> 'usd_per_1m' ->> 'input')::numeric as input,
  (m -> 'usd_per_1m' ->> 'output')::numeric as output,
  (m -> 'usd_per_1m' ->> 'cache_read')::numeric as cache_read,
  (m -> 'usd_per_1m' ->> 'cache_write')::numeric as cache_write,
  (m -> 'usd_per_1m' ->> 'cache_write_1h')::numeric as cache_write_1h
from rate_cards c
cross join lateral jsonb_array_elements(c.document -> 'models') as m;
