import missing
from checks import equal, report, run, wire

names, _ = run("05-credit-alerts.py")
alert = names["setup_credit_alerts"]
available = wire()["total_available_credits"]

equal(alert(missing.api_key, available - 1, available - 2), available)
equal((missing.alerts, missing.purchases), ([], []))

equal(alert(missing.api_key, available, available - 1), available)
equal(missing.alerts, [f"WARNING: {available} credits remaining"])
equal(missing.purchases, [])

equal(alert(missing.api_key, available, available), available)
equal(missing.alerts[1:], [f"CRITICAL: Only {available} credits remaining!"])
(purchase,) = missing.purchases
equal(purchase["amount_usd"], 50)

# A checkout that is not paid gives nothing.
equal(wire()["total_available_credits"], available)
equal(len(names["optimize_credit_usage"]()), 5)

report(available=available, purchase=purchase)
