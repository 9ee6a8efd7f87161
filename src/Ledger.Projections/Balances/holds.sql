-- Holds that have not ended.
create table holds (
  account_id varchar collate "C" not null,
  hold_id uuid not null,
  key_id varchar collate "C" not null,
  tool varchar not null,
  units_nanos bigint not null,
  unit varchar not null,
  amount bigint not null,
  price_nanos bigint not null,
  card bigint not null,
  entry varchar not null,
  reference varchar not null,
  pockets int[] not null,
  parts bigint[] not null,
  placed_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (account_id, hold_id)
);
