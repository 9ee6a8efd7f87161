-- The state of an account that is not in rows of its own, with the head of its stream. One row per account, changed by every append.
create table accounts (
  account_id varchar collate "C" not null primary key,
  version bigint not null,
  last_hash bytea not null,
  last_at timestamptz not null,
  format smallint not null,
  status varchar not null,
  country varchar null,
  opened_at timestamptz not null,
  credits_granted bigint not null,
  credits_spent bigint not null,
  credits_reversed bigint not null,
  credits_expired bigint not null,
  credits_debt bigint not null,
  usd_granted bigint not null,
  usd_spent bigint not null,
  usd_reversed bigint not null,
  usd_expired bigint not null,
  usd_debt bigint not null
)
with (fillfactor = 50);
