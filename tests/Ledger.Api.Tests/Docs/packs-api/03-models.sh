curl https://token-wallet.ai/v1/models -H "Authorization: Bearer tw_xxxxxxxxxxxx"
