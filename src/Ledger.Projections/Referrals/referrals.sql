-- Who brought an account, and whom it brought. No row where nobody did either.
create table referrals (
  account_id varchar collate "C" not null primary key,
  referred_by varchar collate "C" null,
  referred bigint not null,
  earned bigint not null
);
