"""Every method of the client, and the document's HTTP requests through it, against a running server."""

from datetime import datetime, timedelta, timezone

from audiopod import AuthenticationError, Client, InvalidRequestError
from checks import equal, report, wire

BALANCE = (
    "credits_balance payg_balance total_available_credits last_reset_at total_credits_used total_payg_credits_purchased "
    "next_reset_date credits_per_month"
).split()
USAGE = "id user_credits_id credits_used service_type audio_duration credit_source created_at usage_metadata".split()
MULTIPLIERS = {
    "voice_cloning_generation": 330,
    "voice_conversion": 990,
    "speech_translation": 3300,
    "translation": 1650,
    "speaker_diarization": 1650,
    "speaker_extraction": 1650,
    "denoise_audio": 330,
    "spectral_denoise": 660,
    "stem_extraction": 990,
    "music_generation": 1320,
    "transcription": 660,
    "video_download": 6,
}


def refused(kind, ask):
    try:
        ask()
    except kind as error:
        return error
    raise AssertionError(f"It was not refused with {kind.__name__}.")


credits = Client(max_retries=0).credits

# Balance.
equal(list(wire()), BALANCE)
equal(credits.get_credit_balance().raw, wire())

# Usage: all of it, by pages, by service, by time.
usage = credits.get_usage_history()
equal(usage, wire("/usage"))
assert len(usage) >= 3, "Too little usage to check with."
for entry in usage:
    equal(list(entry), USAGE)
equal(len({entry["id"] for entry in usage}), len(usage))
equal(list(credits.iter_usage(page_size=2)), usage)
equal(credits.get_usage_history(limit=1, offset=1), usage[1:2])
service = usage[0]["service_type"]
equal(credits.get_usage_history(service_type=service), [entry for entry in usage if entry["service_type"] == service])


def at(entry):
    return datetime.fromisoformat(entry["created_at"].replace("Z", "+00:00"))


moments = sorted({at(entry) for entry in usage})
between = moments[-2] + (moments[-1] - moments[-2]) / 2
newer = [entry for entry in usage if at(entry) > between]
equal(credits.get_usage_history(start=between), newer)
equal(credits.get_usage_history(end=between), usage[len(newer) :])
equal(credits.get_usage_history(start=between.astimezone(timezone(timedelta(hours=-5)))), newer)
equal(credits.get_usage_history(start=moments[0].date(), end=moments[-1].date() + timedelta(days=1)), usage)
refused(InvalidRequestError, lambda: credits.get_usage_history(limit=0))
refused(InvalidRequestError, lambda: credits.get_usage_history(start="yesterday"))

# Prices and terms of the document.
prices = credits.get_multipliers()
equal({name: prices[name] for name in MULTIPLIERS}, MULTIPLIERS)
terms = credits.get_payg_info()
equal(terms.raw, {"credits_per_dollar": 7500, "min_amount_usd": 1, "max_amount_usd": 1000, "currency": "USD"})
session = credits.create_payg_checkout_session(25)
equal((session.credits_to_receive, session.amount_usd), (187500, 25))
assert session.session_id.startswith("cs_test_"), session
assert session.url is not None and session.url.startswith("http"), session

# Refusals.
error = refused(InvalidRequestError, lambda: credits.create_payg_checkout_session(0.5))
equal([fault["loc"] for fault in error.errors], [["body", "amount_usd"]])
assert error.request_id, error
refused(AuthenticationError, lambda: Client(api_key="lk_live_nobody").credits.get_credit_balance())

# Estimates, at the server's own credits per dollar.
estimate = credits.estimate("transcription", duration=120)
equal((estimate.service, estimate.credits_needed, estimate.usd_cost), ("transcription", 1320, 0.176))
equal(estimate.parameters, {"duration": 120})
equal(credits.estimate("text_to_speech", characters=5000).credits_needed, 5 * prices["text_to_speech"])
equal(credits.estimate("video_download", units=2).credits_needed, 2 * prices["video_download"])
refused(InvalidRequestError, lambda: credits.estimate("unheard_of", units=1))

# Alerts and auto top-up: what is given changes, the rest stays, None switches off.
credits.set_alerts(warning_threshold=500, critical_threshold=100, email=True)
alerts = credits.set_alerts(critical_threshold=None)
equal((alerts.warning_threshold, alerts.critical_threshold, alerts.email), (500, None, True))
equal(credits.get_alerts(), alerts)
credits.set_auto_topup(enabled=False, threshold_credits=1000, amount_usd=10, max_per_day=2)
topup = credits.set_auto_topup(max_per_day=1)
equal((topup.enabled, topup.threshold_credits, topup.amount_usd, topup.max_per_day), (False, 1000, 10, 1))
equal(credits.get_auto_topup(), topup)

report(entries=len(usage), newer=len(newer))
