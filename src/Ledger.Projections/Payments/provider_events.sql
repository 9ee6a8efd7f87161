-- What payment providers have told, and what came of it: for people. What counts is in the log; a repeat of what is here is handled all the same.
create table provider_events (
  provider varchar collate "C" not null,
  event_id varchar collate "C" not null,
  type varchar not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  times int not null,
  account_id varchar collate "C" null,
  order_id varchar collate "C" null,
  outcome varchar not null,
  detail varchar null,
  primary key (provider, event_id)
);
