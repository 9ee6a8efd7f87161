-- Everything that was moved up to a position of the log, over all accounts, about every 20,000 positions: the books as of a moment begin here instead of
-- at the first event. Derived, and each row for itself: any of them may be deleted at any time.
create table journal_marks (
  position bigint primary key,
  at timestamptz not null,
  moves jsonb not null
);
