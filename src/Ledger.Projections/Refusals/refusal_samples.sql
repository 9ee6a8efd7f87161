-- Some refusals in full: what was asked, and the version of the account that it was decided on, so that the decision can be made again. The newest of each
-- key and code, for some days. Primary, never rebuilt, of no account; no secrets, no prompts.
create table refusal_samples (
  account_id varchar collate "C" not null,
  request_id varchar collate "C" not null,
  command_id uuid not null,
  key_id varchar collate "C" not null,
  code varchar collate "C" not null,
  kind varchar collate "C" not null,
  at timestamptz not null,
  version bigint not null,
  card bigint not null,
  asked text null,
  shortfall text null,
  primary key (account_id, request_id, command_id)
);
