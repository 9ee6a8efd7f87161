-- Answers of calls that their callers have named, so that a repeat gets the first one again. Encrypted, primary, never rebuilt, and short-lived.
create table kept_answers (
  hold_id uuid not null primary key,
  account_id varchar collate "C" not null,
  kept_at timestamptz not null,
  answer bytea not null
);
