-- Sessions of the operator that were signed out before they lapsed. Primary, never rebuilt, and short-lived: after a day nobody could use them anyhow.
create table operator_sign_outs (
  session_id varchar collate "C" not null primary key,
  ended_at timestamptz not null
);
