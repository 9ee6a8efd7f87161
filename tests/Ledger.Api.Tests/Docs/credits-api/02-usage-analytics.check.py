from checks import equal, report, run, wire

names, printed = run("02-usage-analytics.py")

balance = wire()
equal(printed[0], f"Current Balance: {balance['total_available_credits']:,} credits")
equal(printed[1], f"Monthly Reset: {balance['next_reset_date']}")

services = {}
for entry in wire("/usage"):
    of = services.setdefault(entry["service_type"], {"total_credits": 0, "total_duration": 0, "usage_count": 0})
    of["total_credits"] += entry["credits_used"]
    of["total_duration"] += entry["audio_duration"]
    of["usage_count"] += 1
for of in services.values():
    of["average_cost"] = of["total_credits"] / of["usage_count"]
equal({name: dict(of) for name, of in names["analysis"].items()}, services)

dearest = max(services.items(), key=lambda service: service[1]["total_credits"])
line = f"  • {dearest[0]} is your highest cost service ({dearest[1]['total_credits']} credits)"
assert line in printed, f"{line!r} was not printed."

report(services=services)
