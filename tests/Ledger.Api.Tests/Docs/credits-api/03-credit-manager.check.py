from checks import equal, report, run, wire

names, printed = run("03-credit-manager.py")
check, summary, manager = names["check"], names["summary"], names["credit_manager"]

equal(check["available"], wire()["total_available_credits"])
equal(check["required"], 2 * wire("/multipliers")["voice_cloning_generation"])
equal(check["sufficient"], check["available"] >= check["required"])
equal(
    printed,
    [
        "User has enough credits" if check["sufficient"] else f"Need {check['shortfall']} more credits",
        f"Used {summary['total_credits_used']} credits in last 30 days",
    ],
)
equal(sum(summary["service_breakdown"].values()), summary["total_credits_used"])

# The other branches of the snippet's methods.
equal(manager.check_sufficient_credits("transcription", 60)["required"], wire("/multipliers")["transcription"])
equal(manager.check_sufficient_credits("music_generation", 60)["required"], 2 * wire("/multipliers")["music_generation"])
equal(manager.check_sufficient_credits("video_download")["required"], wire("/multipliers")["video_download"])
equal(manager.check_sufficient_credits("unheard_of")["required"], 0)
short = manager.check_sufficient_credits("transcription", 60_000_000)
equal((short["sufficient"], short["shortfall"]), (False, short["required"] - short["available"]))

report(check=check, summary=summary, all_time=manager.get_usage_summary(3650))
