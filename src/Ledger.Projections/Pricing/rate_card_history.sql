-- What the log knew before there was a table for it. Once, at the upgrade; a rebuild does the same.
insert into rate_cards (card, effective_at, document)
select
  e.version,
  (e.data ->> 'effectiveAt')::timestamptz,
  (e.data ->> 'document')::jsonb
from mt_events e
where e.type = 'rate_card_published';
