-- The subscription of an account, what is bought for it and what it is told when too little is left. No row where there never was any of it.
-- The state as a whole is what commands are decided on; the columns beside it say parts of it for who reads them with SQL. Prices are in 10^-9 dollar,
-- credits in 10^-6.
create table billing (
  account_id varchar collate "C" not null primary key,
  due_at timestamptz null,
  tier varchar null,
  price bigint null,
  credits_per_month bigint null,
  tokens_per_24h bigint null,
  provider varchar null,
  reference varchar null,
  period bigint null,
  period_start timestamptz null,
  period_end timestamptz null,
  ends_at timestamptz null,
  ended_at timestamptz null,
  state jsonb not null
);
