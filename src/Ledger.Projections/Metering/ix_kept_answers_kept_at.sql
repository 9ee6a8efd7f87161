create index ix_kept_answers_kept_at on kept_answers (kept_at);
