from checks import equal, report, run, wire

_, printed = run("01-get-credit-balance.py")

balance = wire()
usage = wire("/usage")
expected = [
    f"Total Available Credits: {balance['total_available_credits']}",
    f"Subscription Credits: {balance['credits_balance']}",
    f"Pay-as-You-Go Credits: {balance['payg_balance']}",
    f"Total Credits Used: {balance['total_credits_used']}",
]
if balance["next_reset_date"] is not None:
    expected.append(f"Next Reset Date: {balance['next_reset_date']}")
if balance["total_available_credits"] < 1000:
    expected.append("⚠️  Low on credits! Consider purchasing more.")
expected += ["", f"Recent usage history ({len(usage)} entries):"]
expected += [f"- {entry['service_type']}: {entry['credits_used']} credits ({entry['created_at']})" for entry in usage[:5]]
equal(printed, expected)
equal(balance["total_available_credits"], balance["credits_balance"] + balance["payg_balance"])

report(balance=balance, entries=len(usage))
