-- No cache: a reader of the log can only reason about gaps when numbers are drawn in the order of demand.
create sequence mt_events_sequence cache 1;
