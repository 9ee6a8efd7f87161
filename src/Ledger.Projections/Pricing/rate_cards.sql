-- Every published rate card, as it was sent.
create table rate_cards (
  card bigint not null primary key,
  effective_at timestamptz not null,
  document jsonb not null
);
