import requests

r = requests.post(
    "https://token-wallet.ai/v1/chat/completions",
    headers={"Authorization": "Bearer tw_xxxxxxxxxxxx"},
    json={
        "provider": "deepseek",
        "model": "deepseek-chat",
        "messages": [{"role": "user", "content": "Hello"}],
    },
)
print(r.json()["content"])
