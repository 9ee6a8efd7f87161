-- A referral code follows from the account's id, so that no row need hold it.
create index ix_accounts_referral_code on accounts (
  substr(encode(sha256(decode('referral:' || account_id, 'escape')), 'hex'), 1, 16)
);
