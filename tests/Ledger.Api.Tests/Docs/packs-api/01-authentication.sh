curl https://token-wallet.ai/v1/chat/completions \
  -H "Authorization: Bearer tw_xxxxxxxxxxxx" \
  -H "Content-Type: application/json" \
  -d '{
    "provider": "deepseek",
    "model": "deepseek-chat",
    "messages": [{ "role": "user", "content": "Hello" }]
  }'
