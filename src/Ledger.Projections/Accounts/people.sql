-- Personal data. Primary, never rebuilt: it is in no event, and deleting a row leaves the books whole.
create table people (
  account_id varchar collate "C" not null primary key,
  email varchar not null,
  created_at timestamptz not null
);

create unique index ux_people_email on people (lower(email));
