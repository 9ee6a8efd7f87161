-- Posted, held, available and owed per account and unit, as of now: what has lapsed but is not journalled yet is neither posted nor available, and what
-- a lapsed hold returned has paid what was owed. What a subscription's period would give that is due and not journalled yet is not in it.
create or replace view balances as
with lapsed_share as (
  select
    h.account_id,
    h.unit,
    h.expires_at,
    h.hold_id,
    s.pocket,
    s.parts,
    s.place
  from holds h
  cross join lateral unnest(h.pockets, h.parts) with ordinality as s (pocket, parts, place)
  where h.expires_at <= now()
),
lapsed_hold as (
  select
    s.account_id,
    s.pocket,
    sum(s.parts) as parts
  from lapsed_share s
  group by s.account_id, s.pocket
),
repaid as (
  select
    s.account_id,
    s.unit,
    s.pocket,
    -- each pays what those before it have left of the debt
    least(
      s.parts,
      greatest(
        case s.unit
          when 'credits' then a.credits_debt
          else a.usd_debt
        end - coalesce(
          sum(s.parts) over (
            partition by s.account_id, s.unit
            order by s.expires_at, s.hold_id, s.place
            rows between unbounded preceding and 1 preceding
          ),
          0
        ),
        0
      )
    ) as parts
  from lapsed_share s
  join accounts a on a.account_id = s.account_id
  join pockets p
    on p.account_id = s.account_id
    and p.pocket = s.pocket
  where p.scope is null
    and (p.expires_at is null or p.expires_at > s.expires_at)
),
pocket as (
  select
    p.account_id,
    p.unit,
    p.scope,
    p.held - coalesce(l.parts, 0) as held,
    case
      when p.expires_at <= now() then p.held - coalesce(l.parts, 0)
      else p.remaining - coalesce(r.parts, 0)
    end as posted
  from pockets p
  left join lapsed_hold l
    on l.account_id = p.account_id
    and l.pocket = p.pocket
  left join (
    select
      r.account_id,
      r.pocket,
      sum(r.parts) as parts
    from repaid r
    group by r.account_id, r.pocket
  ) r
    on r.account_id = p.account_id
    and r.pocket = p.pocket
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
  end - coalesce(
    (
      select sum(r.parts)
      from repaid r
      where r.account_id = a.account_id
        and r.unit = u.unit
    ),
    0
  )::bigint as debt
from accounts a
cross join (values ('credits'), ('usd')) as u (unit)
left join pocket p
  on p.account_id = a.account_id
  and p.unit = u.unit
group by a.account_id, u.unit;
