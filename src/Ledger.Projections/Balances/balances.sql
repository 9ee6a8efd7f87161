-- Posted, held and available per account and unit, as of now: what has lapsed but is not journalled yet is neither posted nor available.
create or replace view balances as
with lapsed_hold as (
  select
    h.account_id,
    a.pocket,
    sum(a.parts) as parts
  from holds h
  cross join lateral unnest(h.pockets, h.parts) as a (pocket, parts)
  where h.expires_at <= now()
  group by h.account_id, a.pocket
),
pocket as (
  select
    p.account_id,
    p.unit,
    p.scope,
    p.held - coalesce(l.parts, 0) as held,
    case
      when p.expires_at <= now() then p.held - coalesce(l.parts, 0)
      else p.remaining
    end as posted
  from pockets p
  left join lapsed_hold l
    on l.account_id = p.account_id
    and l.pocket = p.pocket
)
select
  a.account_id,
  u.unit,
  coalesce(sum(p.posted), 0)::bigint as posted,
  coalesce(sum(p.held), 0)::bigint as held,
  coalesce(sum(p.posted - p.held), 0)::bigint as available,
  coalesce(sum(p.posted - p.held) filter (where p.scope is null), 0)::bigint as available_unscoped,
  case u.unit
    when 'credits' then a.credits_debt
    else a.usd_debt
  end as debt
from accounts a
cross join (values ('credits'), ('usd')) as u (unit)
left join pocket p
  on p.account_id = a.account_id
  and p.unit = u.unit
group by a.account_id, u.unit;
