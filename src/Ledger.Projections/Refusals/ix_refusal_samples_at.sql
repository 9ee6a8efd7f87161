create index ix_refusal_samples_at on refusal_samples (at);
