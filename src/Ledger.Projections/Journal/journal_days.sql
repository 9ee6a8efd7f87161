-- What was moved between two accounts of the books per UTC day, over all accounts. Both sides stand in one row, so that no row can be out of balance.
-- Parts are in the unit's smallest part: 10^-6 credit, 10^-9 dollar. Worth is what somebody paid for them, in 10^-21 dollar.
create table journal_days (
  day date not null,
  debit varchar collate "C" not null,
  credit varchar collate "C" not null,
  unit varchar not null,
  parts numeric not null,
  worth numeric not null,
  primary key (day, debit, credit, unit)
)
with (fillfactor = 70);
