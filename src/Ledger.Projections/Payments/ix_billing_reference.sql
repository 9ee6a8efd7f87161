-- For payment providers: whose subscription they speak of.
create index ix_billing_reference on billing (provider, reference) where reference is not null;
