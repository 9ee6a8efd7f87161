-- What refunds and disputes have taken back, less what came back with won disputes.
alter table accounts
  add column credits_clawed_back bigint not null default 0,
  add column usd_clawed_back bigint not null default 0;
