-- Password hashes. Primary, never rebuilt.
create table credentials (
  account_id varchar collate "C" not null primary key references people (account_id) on delete cascade,
  password_hash varchar not null,
  changed_at timestamptz not null
);
