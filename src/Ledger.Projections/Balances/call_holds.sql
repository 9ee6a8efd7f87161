-- For what call a hold is: null where it is for a tool.
alter table holds add column call varchar;
