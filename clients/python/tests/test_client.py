"""What the client does by itself. The network is a server on a free loopback port that answers as the test says; nobody sleeps."""

from __future__ import annotations

import json
import os
import pickle
import socket
import ssl
import threading
import unittest
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, List, NamedTuple, Optional
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import audiopod
from audiopod import Client
from audiopod._transport import LONGEST_DELAY, LONGEST_RETRY_AFTER, Transport, origin_of

BALANCE = {
    "credits_balance": 1500,
    "payg_balance": 750,
    "total_available_credits": 2250,
    "last_reset_at": "2024-01-01T00:00:00Z",
    "total_credits_used": 3250,
    "total_payg_credits_purchased": 1000,
    "next_reset_date": "2024-02-01T00:00:00Z",
    "credits_per_month": 2000,
}
SESSION = {"session_id": "cs_test_1234567890abcdef", "credits_to_receive": 187500, "amount_usd": 25}


class Answer(NamedTuple):
    """What the stand-in answers to one request."""

    status: int = 200
    body: Any = None
    headers: Dict[str, str] = {}


#: Instead of an answer: the request is read whole, and the connection closed.
HANG_UP = Answer(status=0)
#: Instead of an answer: half of one.
CUT_SHORT = Answer(status=-1)


class Seen(NamedTuple):
    """What the stand-in was sent."""

    method: str
    path: str
    query: Dict[str, str]
    headers: Dict[str, str]
    body: Any


class StandIn:
    """A server that answers from a list, and remembers what it was sent."""

    def __init__(self, *answers: Answer) -> None:
        self.seen: List[Seen] = []
        self._answers = list(answers)
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = json.loads(self.rfile.read(length)) if length else None
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                stand_in.seen.append(Seen(self.command, parts.path, query, headers, body))
                answer = stand_in._answers.pop(0)
                if answer is HANG_UP:
                    self.close_connection = True
                    return
                content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(200 if answer is CUT_SHORT else answer.status)
                self.send_header("Content-Length", str(len(content) + (answer is CUT_SHORT)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def will(self, *answers: Answer) -> None:
        self._answers.extend(answers)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class ClientCase(unittest.TestCase):
    """A client, the server that it talks to, and how long it wanted to sleep."""

    def setUp(self) -> None:
        environment = mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        for name in ("AUDIOPOD_API_KEY", "AUDIOPOD_BASE_URL"):
            os.environ.pop(name, None)
        self.server = StandIn()
        self.addCleanup(self.server.close)
        self.slept: List[float] = []
        self.client = self.client_of(self.server.url)

    def client_of(self, base_url: str, **arguments: Any) -> Client:
        client = Client(api_key="lk_live_secret", base_url=base_url, timeout=10, **arguments)
        client._transport._sleep = self.slept.append
        client._transport._chance = lambda: 1.0
        return client

    def refused(self, kind: type, status: int, body: Any = None, headers: Optional[Dict[str, str]] = None) -> Any:
        """The error of exactly this kind that an answer without retries becomes."""
        self.server.will(Answer(status, body, headers or {}))
        with self.assertRaises(audiopod.ApiError) as caught:
            self.client_of(self.server.url, max_retries=0).credits.get_credit_balance()
        self.assertIs(type(caught.exception), kind)
        self.assertEqual(caught.exception.status, status)
        return caught.exception


class Arguments(ClientCase):
    def test_the_base_url_may_end_as_it_likes(self) -> None:
        for given in (
            "http://here:5080",
            "http://here:5080/",
            "http://here:5080/api/v1",
            "http://here:5080/api/v1/",
            " http://here:5080//api/v1// ",
        ):
            self.assertEqual(origin_of(given), "http://here:5080", given)
        self.assertEqual(origin_of("https://here/behind/a/proxy/api/v1/"), "https://here/behind/a/proxy")

    def test_what_is_no_base_url_is_refused(self) -> None:
        for given in (
            "here:5080",
            "ftp://here",
            "file:///etc/passwd",
            "http://",
            "http://here:port",
            "http://here:99999",
            "http://user:secret@here",
            "http://here?x=1",
            "http://here#x",
            "http://he re",
            "http://here\r\nx: y",
        ):
            with self.assertRaises(ValueError, msg=given):
                Client(api_key="k", base_url=given)

    def test_addresses_are_joined_and_their_queries_encoded(self) -> None:
        transport = Transport("http://here/api/v1/", "k", 1, 0)
        self.assertEqual(transport.url_of("/credits"), "http://here/api/v1/credits")
        self.assertEqual(
            transport.url_of("/credits/usage", {"limit": 5, "offset": None, "from": "2026-07-03T12:00:00+02:00"}),
            "http://here/api/v1/credits/usage?limit=5&from=2026-07-03T12%3A00%3A00%2B02%3A00",
        )

    def test_key_and_address_come_from_the_environment(self) -> None:
        os.environ["AUDIOPOD_API_KEY"] = "lk_live_of_the_environment\n"
        self.assertEqual(Client().base_url, "http://127.0.0.1:5080")
        os.environ["AUDIOPOD_BASE_URL"] = self.server.url + "/api/v1/"
        self.server.will(Answer(body=BALANCE), Answer(body=BALANCE))
        Client().credits.get_credit_balance()
        Client(api_key="lk_live_passed").credits.get_credit_balance()
        self.assertEqual([seen.path for seen in self.server.seen], ["/api/v1/credits"] * 2)
        self.assertEqual(
            [seen.headers["authorization"] for seen in self.server.seen],
            ["Bearer lk_live_of_the_environment", "Bearer lk_live_passed"],
        )

    def test_without_a_key_there_is_no_client(self) -> None:
        with self.assertRaisesRegex(audiopod.AudioPodError, "AUDIOPOD_API_KEY"):
            Client()
        with self.assertRaises(audiopod.AudioPodError):
            Client(api_key="")
        for key in ("two words", "line\nbreak", "schlüssel"):
            with self.assertRaises(ValueError):
                Client(api_key=key)
        with self.assertRaises(ValueError):
            Client(api_key="k", timeout=0)
        with self.assertRaises(ValueError):
            Client(api_key="k", max_retries=-1)

    def test_the_key_is_not_shown(self) -> None:
        self.assertNotIn("secret", repr(self.client))

    def test_a_proxy_is_not_asked_for_this_machine_itself(self) -> None:
        os.environ["http_proxy"] = "http://127.0.0.1:1"
        os.environ.pop("no_proxy", None)
        self.server.will(Answer(body=BALANCE))
        self.client_of(self.server.url, max_retries=0).credits.get_credit_balance()


class Answers(ClientCase):
    def test_the_balance_of_the_document(self) -> None:
        self.server.will(Answer(body=dict(BALANCE, added_later={"x": 1})))
        credits = self.client.credits.get_credit_balance()
        self.assertEqual((credits.balance, credits.credits_balance, credits.payg_balance), (1500, 1500, 750))
        self.assertEqual((credits.total_available_credits, credits.total_credits_used), (2250, 3250))
        self.assertEqual((credits.total_payg_credits_purchased, credits.credits_per_month), (1000, 2000))
        self.assertEqual(credits.last_reset_at, "2024-01-01T00:00:00Z")
        self.assertEqual(credits.next_reset_date, "2024-02-01T00:00:00Z")
        self.assertEqual(credits.raw["added_later"], {"x": 1})
        with self.assertRaises(AttributeError):
            credits.payg_balance = 1  # type: ignore[misc]

    def test_whole_amounts_stay_integers(self) -> None:
        self.server.will(Answer(body=dict(BALANCE, payg_balance=0.5, next_reset_date=None)))
        credits = self.client.credits.get_credit_balance()
        self.assertIsInstance(credits.credits_balance, int)
        self.assertEqual(credits.payg_balance, 0.5)
        self.assertIsNone(credits.next_reset_date)

    def test_usage_is_what_the_server_wrote(self) -> None:
        entry = {"id": "1", "service_type": "music_generation", "credits_used": 50, "usage_metadata": {"quality": "premium"}}
        self.server.will(Answer(body=[entry]), Answer(body=[]))
        self.assertEqual(self.client.credits.get_usage_history(), [entry])
        self.client.credits.get_usage_history(
            limit=10,
            offset=20,
            service_type="music_generation",
            start=datetime(2026, 7, 3, 2, 0, tzinfo=timezone(timedelta(hours=2))),
            end=datetime(2026, 7, 4, 0, 0, 0, 1500, tzinfo=timezone.utc),
        )
        self.assertEqual(self.server.seen[0].query, {})
        self.assertEqual(
            self.server.seen[1].query,
            {
                "limit": "10",
                "offset": "20",
                "service_type": "music_generation",
                "from": "2026-07-03T00:00:00Z",
                "to": "2026-07-04T00:00:00.001500Z",
            },
        )

    def test_days_and_texts_are_sent_as_they_are(self) -> None:
        self.server.will(Answer(body=[]))
        self.client.credits.get_usage_history(start=date(2026, 7, 3), end="2026-07-04T00:00:00Z")
        self.assertEqual(self.server.seen[0].query, {"from": "2026-07-03", "to": "2026-07-04T00:00:00Z"})

    def test_a_time_that_does_not_say_its_offset_is_refused(self) -> None:
        for ask in (self.client.credits.get_usage_history, self.client.credits.iter_usage):
            with self.assertRaisesRegex(ValueError, "offset"):
                ask(start=datetime(2026, 7, 3))
        self.assertEqual(self.server.seen, [])

    def test_all_usage_is_read_page_by_page(self) -> None:
        self.server.will(
            Answer(body=[{"id": "5"}, {"id": "4"}]),
            Answer(body=[{"id": "3"}, {"id": "2"}]),
            Answer(body=[{"id": "1"}]),
        )
        entries = self.client.credits.iter_usage(page_size=2, service_type="chat")
        self.assertEqual(next(entries)["id"], "5")
        self.assertEqual(len(self.server.seen), 1)
        self.assertEqual([entry["id"] for entry in entries], ["4", "3", "2", "1"])
        self.assertEqual(
            [seen.query for seen in self.server.seen],
            [{"limit": "2", "offset": offset, "service_type": "chat"} for offset in ("0", "2", "4")],
        )

    def test_no_entry_comes_twice_when_new_ones_push_the_pages_back(self) -> None:
        self.server.will(Answer(body=[{"id": "3"}, {"id": "2"}]), Answer(body=[{"id": "2"}, {"id": "1"}]), Answer(body=[]))
        self.assertEqual([entry["id"] for entry in self.client.credits.iter_usage(page_size=2)], ["3", "2", "1"])

    def test_pages_have_bounds(self) -> None:
        for size in (0, 1001):
            with self.assertRaises(ValueError):
                self.client.credits.iter_usage(page_size=size)

    def test_prices_and_terms(self) -> None:
        self.server.will(
            Answer(body={"transcription": 660, "video_download": 6}),
            Answer(body={"credits_per_dollar": 7500, "min_amount_usd": 1, "max_amount_usd": 1000, "currency": "USD"}),
        )
        self.assertEqual(self.client.credits.get_multipliers(), {"transcription": 660, "video_download": 6})
        terms = self.client.credits.get_payg_info()
        self.assertEqual((terms.credits_per_dollar, terms.min_amount_usd, terms.max_amount_usd, terms.currency), (7500, 1, 1000, "USD"))
        self.assertEqual([seen.path for seen in self.server.seen], ["/api/v1/credits/multipliers", "/api/v1/credits/payg/info"])

    def test_a_checkout(self) -> None:
        self.server.will(Answer(body=SESSION), Answer(body=dict(SESSION, url="http://here/pay")))
        session = self.client.credits.create_payg_checkout_session(25)
        self.assertEqual((session.session_id, session.credits_to_receive), ("cs_test_1234567890abcdef", 187500))
        self.assertEqual((session.amount_usd, session.url), (25, None))
        self.assertEqual(self.client.credits.create_payg_checkout_session(Decimal("25.50")).url, "http://here/pay")
        self.assertEqual([seen.body for seen in self.server.seen], [{"amount_usd": 25}, {"amount_usd": 25.5}])
        self.assertEqual(self.server.seen[0].method, "POST")
        self.assertEqual(self.server.seen[0].path, "/api/v1/credits/payg/create-checkout-session")
        self.assertEqual(self.server.seen[0].headers["content-type"], "application/json")

    def test_whole_decimals_are_sent_as_integers_and_what_is_no_number_not_at_all(self) -> None:
        self.server.will(Answer(body=SESSION))
        self.client.credits.create_payg_checkout_session(Decimal("25.00"))
        self.assertIsInstance(self.server.seen[0].body["amount_usd"], int)
        for amount in (float("nan"), Decimal("NaN"), Decimal("Infinity")):
            with self.assertRaises(ValueError):
                self.client.credits.create_payg_checkout_session(amount)
        self.assertEqual(len(self.server.seen), 1)

    def test_an_estimate(self) -> None:
        wire = {"service": "transcription", "credits_needed": 1320, "usd_cost": 0.176, "parameters": {"duration": 120}}
        self.server.will(Answer(body=wire))
        estimate = self.client.credits.estimate("transcription", duration=120)
        self.assertEqual((estimate.service, estimate.credits_needed, estimate.usd_cost), ("transcription", 1320, 0.176))
        self.assertEqual(estimate.parameters, {"duration": 120})
        self.assertEqual(self.server.seen[0].body, {"service_type": "transcription", "duration": 120})
        self.assertEqual(self.server.seen[0].path, "/api/v1/credits/estimate")

    def test_only_what_is_given_is_changed_and_none_switches_off(self) -> None:
        self.server.will(*[Answer(body={"warning_threshold": 500, "critical_threshold": None, "new": 1})] * 2)
        alerts = self.client.credits.set_alerts(warning_threshold=500, critical_threshold=None)
        self.assertEqual((alerts.warning_threshold, alerts.critical_threshold, alerts.email), (500, None, False))
        self.assertEqual(self.client.credits.get_alerts(), alerts)
        self.assertEqual(alerts.raw["new"], 1)
        self.assertEqual(self.server.seen[0].body, {"warning_threshold": 500, "critical_threshold": None})
        self.assertEqual([seen.method for seen in self.server.seen], ["PUT", "GET"])
        with self.assertRaises(ValueError):
            self.client.credits.set_alerts()

    def test_auto_topup(self) -> None:
        self.server.will(*[Answer(body={"enabled": True, "threshold_credits": 100, "amount_usd": 10, "max_per_day": 2})] * 2)
        topup = self.client.credits.set_auto_topup(enabled=True, amount_usd=Decimal(10))
        self.assertEqual((topup.enabled, topup.threshold_credits, topup.amount_usd, topup.max_per_day), (True, 100, 10, 2))
        self.assertEqual(self.client.credits.get_auto_topup(), topup)
        self.assertEqual(self.server.seen[0].body, {"enabled": True, "amount_usd": 10})
        self.assertEqual(self.server.seen[0].path, "/api/v1/credits/auto-topup")

    def test_an_answer_that_is_something_else_is_an_error_of_ours(self) -> None:
        for answer, ask in (
            (Answer(body={}), self.client.credits.get_credit_balance),
            (Answer(body=[]), self.client.credits.get_credit_balance),
            (Answer(body={}), self.client.credits.get_usage_history),
            (Answer(body=[]), self.client.credits.get_multipliers),
            (Answer(body=b"<html>"), self.client.credits.get_credit_balance),
            (Answer(204, b""), self.client.credits.get_credit_balance),
        ):
            self.server.will(answer)
            with self.assertRaises(audiopod.AudioPodError):
                ask()


class Errors(ClientCase):
    def test_every_status_is_an_error_of_its_own(self) -> None:
        for status, kind in (
            (400, audiopod.InvalidRequestError),
            (401, audiopod.AuthenticationError),
            (402, audiopod.InsufficientCreditsError),
            (403, audiopod.PermissionDeniedError),
            (404, audiopod.NotFoundError),
            (405, audiopod.ApiError),
            (409, audiopod.ConflictError),
            (413, audiopod.ApiError),
            (422, audiopod.InvalidRequestError),
            (429, audiopod.RateLimitError),
            (500, audiopod.ServerError),
            (503, audiopod.ServerError),
        ):
            error = self.refused(kind, status, {"detail": "The words."}, {"x-request-id": "req_1"})
            self.assertEqual((error.detail, error.request_id), ("The words.", "req_1"))
            self.assertEqual(str(error), f"{status}: The words. (request req_1)")
            self.assertIsInstance(error, audiopod.AudioPodError)

    def test_bad_input_is_named_fault_by_fault(self) -> None:
        faults = [
            {"loc": ["body", "amount_usd"], "msg": "must be at least 1", "type": "greater_than_equal"},
            {"loc": ["body", "items", 0], "msg": "is not known", "type": "extra_forbidden"},
        ]
        error = self.refused(audiopod.InvalidRequestError, 422, {"detail": faults})
        self.assertEqual(error.errors, faults)
        self.assertEqual(error.detail, "body.amount_usd: must be at least 1; body.items.0: is not known")
        self.assertEqual(self.refused(audiopod.InvalidRequestError, 400, {"detail": "No."}).errors, [])

    def test_what_a_refusal_says_besides_is_kept(self) -> None:
        body = {"detail": "Not enough.", "limit_source": "key", "needed": 5}
        self.assertEqual(self.refused(audiopod.InsufficientCreditsError, 402, body).body, body)

    def test_an_error_without_words_has_those_of_its_status(self) -> None:
        self.assertEqual(self.refused(audiopod.NotFoundError, 404, b"<html>").detail, "Not Found")
        self.assertEqual(self.refused(audiopod.NotFoundError, 404, {"detail": None}).detail, "Not Found")
        self.assertEqual(self.refused(audiopod.NotFoundError, 404, {"error": "not_found", "message": "Nothing."}).detail, "Nothing.")
        self.assertEqual(self.refused(audiopod.InvalidRequestError, 422, {"detail": ["odd", {}]}).detail, "odd; is not valid")

    def test_how_long_to_wait_is_told(self) -> None:
        wait = audiopod.RateLimitError
        self.assertEqual(self.refused(wait, 429, headers={"Retry-After": "7"}).retry_after, 7)
        self.assertIsNone(self.refused(wait, 429).retry_after)
        for odd in ("soon", "nan", "inf"):
            self.assertIsNone(self.refused(wait, 429, headers={"Retry-After": odd}).retry_after, odd)
        later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=100), usegmt=True)
        self.assertAlmostEqual(self.refused(wait, 429, headers={"Retry-After": later}).retry_after, 100, delta=5)
        self.assertEqual(self.refused(wait, 429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}).retry_after, 0)

    def test_errors_travel_between_processes(self) -> None:
        error = self.refused(audiopod.RateLimitError, 429, {"detail": "Slow."}, {"Retry-After": "7", "x-request-id": "r"})
        copy = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(copy), str(copy), copy.retry_after, copy.body), (type(error), str(error), 7, error.body))

    def test_a_server_that_is_not_there_is_a_connection_error(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # Bound and not listening: nobody else gets it, and it refuses.
            with self.assertRaises(ConnectionError) as caught:
                self.client_of(f"http://127.0.0.1:{taken.getsockname()[1]}").credits.get_credit_balance()
        self.assertIsInstance(caught.exception, audiopod.APIConnectionError)
        self.assertIsInstance(caught.exception, audiopod.AudioPodError)
        self.assertIn("/api/v1/credits", str(caught.exception))
        self.assertNotIn("secret", str(caught.exception))
        self.assertIsNotNone(caught.exception.__cause__)


class Retries(ClientCase):
    def asks(self, ask: Any, *answers: Answer) -> int:
        """How often a call that fails in the end was sent."""
        before = len(self.server.seen)
        self.server.will(*answers)
        with self.assertRaises(audiopod.AudioPodError):
            ask()
        return len(self.server.seen) - before

    def test_reads_are_repeated_until_they_succeed(self) -> None:
        for trouble in (Answer(429), Answer(500), Answer(502), Answer(503), HANG_UP, CUT_SHORT):
            self.server.will(trouble, trouble, Answer(body=BALANCE))
            self.assertEqual(self.client.credits.get_credit_balance().balance, 1500)
        self.assertEqual(len(self.server.seen), 18)

    def test_writes_that_set_a_state_are_repeated_too(self) -> None:
        for trouble in (HANG_UP, Answer(500)):
            self.server.will(trouble, Answer(body={"email": True}))
            self.assertIs(self.client.credits.set_alerts(email=True).email, True)
        self.assertEqual({json.dumps(seen.body) for seen in self.server.seen}, {'{"email": true}'})

    def test_an_estimate_charges_nothing_and_is_repeated(self) -> None:
        self.server.will(HANG_UP, Answer(500), Answer(body={"service": "x", "credits_needed": 1, "usd_cost": 0.1, "parameters": {}}))
        self.assertEqual(self.client.credits.estimate("x", units=1).credits_needed, 1)

    def test_they_are_not_repeated_without_end(self) -> None:
        self.assertEqual(self.asks(self.client.credits.get_credit_balance, *[Answer(503)] * 3), 3)
        self.assertEqual(self.asks(self.client.credits.get_credit_balance, *[HANG_UP] * 3), 3)
        self.assertEqual(self.asks(self.client_of(self.server.url, max_retries=0).credits.get_credit_balance, Answer(503)), 1)

    def test_what_cannot_succeed_is_not_repeated(self) -> None:
        for status in (400, 401, 402, 403, 404, 409, 413, 422):
            self.assertEqual(self.asks(self.client.credits.get_credit_balance, Answer(status)), 1, status)
        for status in (429, 500, 503):
            self.assertEqual(
                self.asks(self.client.credits.get_credit_balance, Answer(status, headers={"x-should-retry": "false"})), 1, status
            )
        self.assertEqual(self.slept, [])

    def test_a_checkout_is_not_sent_again_where_it_may_have_been_opened(self) -> None:
        def checkout() -> Any:
            return self.client.credits.create_payg_checkout_session(25)

        for trouble in (HANG_UP, CUT_SHORT, Answer(500), Answer(502), Answer(504)):
            self.assertEqual(self.asks(checkout, trouble), 1)
        self.server.will(Answer(503), Answer(429), Answer(body=SESSION))
        self.assertEqual(checkout().session_id, SESSION["session_id"])

    def test_a_checkout_is_sent_again_where_there_was_no_connection(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            with self.assertRaises(audiopod.APIConnectionError):
                self.client_of(f"http://127.0.0.1:{taken.getsockname()[1]}").credits.create_payg_checkout_session(25)
        self.assertEqual(len(self.slept), 2)

    def test_waits_grow_up_to_a_bound(self) -> None:
        client = self.client_of(self.server.url, max_retries=6)
        self.asks(client.credits.get_credit_balance, *[Answer(500)] * 7)
        self.assertEqual(self.slept, [0.5, 1, 2, 4, LONGEST_DELAY, LONGEST_DELAY])

    def test_waits_are_spread(self) -> None:
        self.client._transport._chance = lambda: 0.0
        self.asks(self.client.credits.get_credit_balance, *[Answer(500)] * 3)
        self.assertEqual(self.slept, [0.25, 0.5])

    def test_what_the_server_asks_for_is_waited_for(self) -> None:
        self.client._transport._chance = lambda: 0.0
        self.server.will(Answer(429, headers={"Retry-After": "7"}), Answer(503, headers={"Retry-After": "0"}), Answer(body=BALANCE))
        self.client.credits.get_credit_balance()
        self.assertEqual(self.slept, [7, 0])

    def test_a_longer_wait_than_is_sensible_is_the_callers_to_decide(self) -> None:
        too_long = Answer(429, headers={"Retry-After": str(LONGEST_RETRY_AFTER + 1)})
        self.assertEqual(self.asks(self.client.credits.get_credit_balance, too_long), 1)
        self.assertEqual(self.slept, [])

    def test_a_certificate_that_is_not_trusted_does_not_become_so(self) -> None:
        connect = "audiopod._transport.http.client.HTTPSConnection.connect"
        with mock.patch(connect, side_effect=ssl.SSLCertVerificationError("self-signed")) as tried:
            with self.assertRaises(audiopod.APIConnectionError):
                self.client_of("https://127.0.0.1:1").credits.get_credit_balance()
        self.assertEqual((tried.call_count, self.slept), (1, []))


class Redirects(ClientCase):
    def redirect(self, target: str, status: int = 302) -> Answer:
        return Answer(status, b"", {"Location": target})

    def test_the_key_goes_along_within_one_server(self) -> None:
        for status in (301, 302, 303, 307, 308):
            self.server.will(self.redirect("/api/v1/credits/", status), Answer(body=BALANCE))
            self.client.credits.get_credit_balance()
            self.assertEqual(self.server.seen[-1].path, "/api/v1/credits/")
            self.assertEqual(self.server.seen[-1].headers["authorization"], "Bearer lk_live_secret")

    def test_the_key_does_not_go_to_another_server_nor_back(self) -> None:
        other = StandIn()
        self.addCleanup(other.close)
        other.will(Answer(body=BALANCE), self.redirect(self.server.url + "/back"))
        self.server.will(self.redirect(other.url + "/elsewhere"), self.redirect(other.url + "/again"), Answer(body=BALANCE))
        self.client.credits.get_credit_balance()
        self.client.credits.get_credit_balance()
        self.assertEqual([seen.path for seen in other.seen], ["/elsewhere", "/again"])
        self.assertEqual(self.server.seen[-1].path, "/back")
        for seen in (*other.seen, self.server.seen[-1]):
            self.assertNotIn("authorization", seen.headers)
            self.assertNotIn("secret", repr(seen))

    def test_another_name_of_the_same_machine_is_another_server(self) -> None:
        self.server.will(self.redirect(self.server.url.replace("127.0.0.1", "localhost") + "/x"), Answer(body=BALANCE))
        self.client.credits.get_credit_balance()
        self.assertNotIn("authorization", self.server.seen[-1].headers)

    def test_a_write_is_not_redirected(self) -> None:
        for status in (301, 302, 307, 308):
            self.server.will(self.redirect("/elsewhere", status))
            with self.assertRaisesRegex(audiopod.ApiError, "/elsewhere"):
                self.client.credits.create_payg_checkout_session(25)
        self.assertEqual({seen.path for seen in self.server.seen}, {"/api/v1/credits/payg/create-checkout-session"})

    def test_a_circle_ends(self) -> None:
        self.server.will(*[self.redirect("/api/v1/credits")] * 20)
        with self.assertRaises(audiopod.ApiError):
            self.client.credits.get_credit_balance()
        self.assertLess(len(self.server.seen), 10)

    def test_a_file_is_no_server(self) -> None:
        self.server.will(self.redirect("file:///etc/passwd"))
        with self.assertRaises(audiopod.ApiError):
            self.client.credits.get_credit_balance()


if __name__ == "__main__":
    unittest.main()
