-- The keys that sign access tokens: ECDSA on P-256, PKCS #8. Primary, never rebuilt. The newest signs; the others are kept while tokens of theirs may live.
create table signing_keys (
  key_id varchar collate "C" not null primary key,
  private_key bytea not null,
  created_at timestamptz not null
);
