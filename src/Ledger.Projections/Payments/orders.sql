-- What accounts have bought and are about to buy. The state as a whole is what commands are decided on; the columns beside it say parts of it for who
-- reads them with SQL. Money is in 10^-9 dollar; what is given is in the smallest part of its unit.
create table orders (
  account_id varchar collate "C" not null,
  order_id varchar collate "C" not null,
  kind varchar not null,
  item varchar null,
  price bigint not null,
  unit varchar null,
  gives bigint null,
  card bigint not null,
  provider varchar not null,
  status varchar not null,
  session varchar collate "C" null,
  payment varchar collate "C" null,
  intent varchar collate "C" null,
  pocket int null,
  opened_at timestamptz not null,
  expires_at timestamptz not null,
  paid_at timestamptz null,
  refunded bigint not null,
  disputed bigint not null,
  clawed_back bigint not null,
  state jsonb not null,
  primary key (account_id, order_id)
);
