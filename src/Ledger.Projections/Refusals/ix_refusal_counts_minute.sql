create index ix_refusal_counts_minute on refusal_counts (minute);
