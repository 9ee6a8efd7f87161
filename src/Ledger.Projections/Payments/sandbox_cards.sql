-- Whose card the sandbox declines.
create table sandbox_cards (
  account_id varchar collate "C" not null primary key,
  declines boolean not null
);
