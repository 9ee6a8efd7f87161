KEY="amai_live_your_secret_here"
# 1. Quote the cost before doing the work.
curl -sS https://api.amaimedia.com/api/v1/tools/check \
-H "Authorization: Bearer $KEY" \
-H "Content-Type: application/json" \
-d '{"tool":"chat","units":1}'
# => {"ok":true,"allowed":true,"cost_tokens":5,"balance_after":9995}
# 2. Do the actual tool call in your app.
# 3. Charge, idempotent by reference.
curl -sS https://api.amaimedia.com/api/v1/tools/spend \
-H "Authorization: Bearer $KEY" \
-H "Content-Type: application/json" \
-d '{"tool":"chat","units":1,"reference":"req_2026-07-03_abc123"}'
# => {"ok":true,"charged":5,"balance_after":9990}
