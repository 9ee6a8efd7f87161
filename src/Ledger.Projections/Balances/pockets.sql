-- Every pocket ever opened. Amounts are in the unit's smallest part: 10^-6 credit, 10^-9 dollar.
create table pockets (
  account_id varchar collate "C" not null,
  pocket int not null,
  unit varchar not null,
  source varchar not null,
  scope varchar null,
  granted bigint not null,
  remaining bigint not null,
  held bigint not null,
  expires_at timestamptz null,
  opened_at timestamptz not null,
  opened_by uuid not null,
  primary key (account_id, pocket),
  constraint pockets_never_overdrawn check (held >= 0 and remaining >= held)
)
with (fillfactor = 50);
