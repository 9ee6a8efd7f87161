-- The keys that sign checkpoints: ECDSA on P-256. The private key is protected by the server's protection keys; the public ones are for everybody.
create table checkpoint_keys (
  key_id varchar collate "C" not null primary key,
  x bytea not null,
  y bytea not null,
  private_key bytea not null,
  created_at timestamptz not null
);
