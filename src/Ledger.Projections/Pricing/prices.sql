-- What each published rate card charges per unit of each tool.
create table prices (
  card bigint not null,
  entry varchar collate "C" not null,
  tool varchar collate "C" not null,
  place int not null,
  per varchar not null,
  credits_nanos bigint not null,
  effective_at timestamptz not null,
  primary key (card, entry)
);
