-- Where accounts want to be told what happens to them. No row where nowhere. The secret signs what is sent to the address; the server has to be able to
-- read it, so it is no hash but protected with the keys of protection_keys. Primary, never rebuilt.
create table notification_targets (
  account_id varchar collate "C" not null primary key,
  url varchar null,
  secret varchar null,
  by_mail boolean not null,
  updated_at timestamptz not null
);
