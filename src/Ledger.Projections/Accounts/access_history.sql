-- What the log knew before there were tables for it: when suspensions ended every sign-in, and what was about access. Once, at the upgrade; a rebuild does the same.
insert into sign_ins (account_id, ended_at, ended, expire_at)
select
  substr(e.stream_id, 9),
  max(e.timestamp),
  '{}',
  '{}'
from mt_events e
where e.type = 'account_suspended'
group by e.stream_id;

insert into trail (account_id, version, event_id)
select
  substr(e.stream_id, 9),
  e.version,
  e.id
from mt_events e
where e.type in ('account_opened', 'account_suspended', 'account_reinstated', 'key_created', 'key_revoked');
