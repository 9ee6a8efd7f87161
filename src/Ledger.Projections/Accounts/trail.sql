-- Which events of an account are about access, so that they are found among a million spends. What happened, by whom and from where is in the log.
create table trail (
  account_id varchar collate "C" not null,
  version bigint not null,
  event_id uuid not null,
  primary key (account_id, version)
);
