-- An event is told once per channel, however often the log is read.
create unique index ux_deliveries_event_id on deliveries (event_id, channel);
