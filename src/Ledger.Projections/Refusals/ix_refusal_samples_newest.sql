create index ix_refusal_samples_newest on refusal_samples (account_id, key_id, code, at);
