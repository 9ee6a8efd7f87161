const res = await fetch("https://token-wallet.ai/v1/chat/completions", {
  method: "POST",
  headers: {
    Authorization: "Bearer tw_xxxxxxxxxxxx",
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    provider: "deepseek",
    model: "deepseek-chat",
    messages: [{ role: "user", content: "Hello" }],
  }),
});
const data = await res.json();
console.log(data.content);
