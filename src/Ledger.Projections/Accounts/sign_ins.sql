-- Which sign-ins of an account no longer hold: all up to a time, and single ones until they would have expired. No row where none was ended.
create table sign_ins (
  account_id varchar collate "C" not null primary key,
  ended_at timestamptz null,
  ended uuid[] not null,
  expire_at timestamptz[] not null
);
