-- Sign-in finds a key by the hash of the secret before, too. Whether that still works the key's state decides.
create index ix_keys_previous_secret_hash on keys (previous_secret_hash)
where previous_secret_hash is not null;
