-- Sign-in finds a key by the hash of its secret.
create unique index ux_keys_secret_hash on keys (secret_hash);
