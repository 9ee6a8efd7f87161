-- The keys that protect session cookies, as ASP.NET Core's data protection writes them; shared by all nodes. Primary, never rebuilt.
create table protection_keys (
  name varchar collate "C" not null primary key,
  xml text not null
);
