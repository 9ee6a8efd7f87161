-- The one open code of a person, by its hash, and how often it was tried. Primary, never rebuilt, and short-lived.
create table one_time_codes (
  account_id varchar collate "C" not null primary key references people (account_id) on delete cascade,
  code_hash bytea not null,
  expires_at timestamptz not null,
  attempts int not null
);
