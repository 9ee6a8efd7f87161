"""One request at a time over the standard library: addresses, the key, redirects, retries, errors."""

from __future__ import annotations

import email.utils
import http.client
import ipaddress
import json
import logging
import math
import random
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone
from email.message import Message
from typing import IO, Any, Callable, List, Mapping, Optional, Tuple

from ._errors import APIConnectionError, ApiError, AudioPodError, error_of
from ._version import __version__

#: The path that all routes have in common; a base URL may end in it or not.
API_PREFIX = "/api/v1"

FIRST_DELAY = 0.5
LONGEST_DELAY = 8.0
#: A server that asks for a longer wait than this is not waited for: the caller knows better what to do meanwhile.
LONGEST_RETRY_AFTER = 60.0

_log = logging.getLogger("audiopod")


def origin_of(base_url: str) -> str:
    """A base URL without a trailing slash and without ``/api/v1``.

    Raises ``ValueError`` where it is not an absolute http or https URL.
    """
    text = base_url.strip()
    if not _is_base_url(text):
        raise ValueError("base_url must be an http or https URL such as http://127.0.0.1:5080, without user, query or fragment.")
    text = text.rstrip("/")
    if text.endswith(API_PREFIX):
        text = text[: -len(API_PREFIX)].rstrip("/")
    return text


def _is_base_url(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
        # These two are where a malformed host and port show.
        (parts.hostname or "").encode("idna")
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc or any(character.isspace() for character in text))
    return parts.scheme in ("http", "https") and bool(parts.hostname) and has_port and is_plain


class Transport:
    """Sends requests to one server with one key."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        timeout: float,
        max_retries: int,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.origin = origin_of(base_url)
        self._api_key = api_key
        self._timeout = timeout
        self._max_retries = max_retries
        self._sleep = sleep
        self._chance = chance
        self._opener = _opener_for(self.origin)

    def url_of(self, path: str, query: Optional[Mapping[str, Any]] = None) -> str:
        """The address of a route such as ``/credits``; members of the query that are None are left out."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self.origin + API_PREFIX + path + ("?" + urllib.parse.urlencode(given) if given else "")

    def get(self, path: str, query: Optional[Mapping[str, Any]] = None) -> Any:
        """GET."""
        return self._request("GET", self.url_of(path, query), None, is_repeatable=True)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """PUT."""
        return self._request("PUT", self.url_of(path), body, is_repeatable=True)

    def post(self, path: str, body: Mapping[str, Any], *, is_repeatable: bool) -> Any:
        """POST; ``is_repeatable`` says whether twice does no more than once."""
        return self._request("POST", self.url_of(path), body, is_repeatable=is_repeatable)

    def _request(self, method: str, url: str, body: Optional[Mapping[str, Any]], *, is_repeatable: bool) -> Any:
        data = None if body is None else json.dumps(body, allow_nan=False).encode("utf-8")
        for attempt in range(self._max_retries + 1):
            error: AudioPodError
            wait: Optional[float] = None
            try:
                status, reason, headers, content = self._send(method, url, data)
            except _Broken as broken:
                error = APIConnectionError(f"{method} {url}: {broken}")
                error.__cause__ = broken.__cause__
                may_retry = not broken.is_hopeless and (is_repeatable or not broken.may_have_been_sent)
            else:
                if 200 <= status < 300:
                    return _json_of(status, headers, content)
                wait = _retry_after_of(headers)
                error = error_of(status, reason, headers.get("x-request-id"), wait, _body_of(content))
                may_retry = (status in (429, 503) or (status >= 500 and is_repeatable)) and (
                    headers.get("x-should-retry", "").strip().lower() != "false"
                )
            if not may_retry or attempt == self._max_retries or (wait is not None and wait > LONGEST_RETRY_AFTER):
                raise error
            delay = self._delay_before(attempt, wait)
            _log.debug("%s; trying again in %.1f s", error, delay)
            self._sleep(delay)
        raise AssertionError("unreachable")

    def _delay_before(self, attempt: int, wait: Optional[float]) -> float:
        # Never less than the server asked for; spread, so that many clients do not come back at the same moment.
        if wait is not None:
            return wait + self._chance() * FIRST_DELAY
        return min(LONGEST_DELAY, FIRST_DELAY * math.ldexp(1.0, min(attempt, 30))) * (0.5 + 0.5 * self._chance())

    def _send(self, method: str, url: str, data: Optional[bytes]) -> Tuple[int, str, Message, bytes]:
        """One try: status, reason, headers and body of whatever is answered."""
        request = urllib.request.Request(url, data=data, method=method)
        request.add_header("Accept", "application/json")
        request.add_header("User-Agent", f"audiopod-python/{__version__}")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        # Such a header is not copied by a redirect; see _Redirects.
        request.add_unredirected_header("Authorization", "Bearer " + self._api_key)
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return answer.status, answer.reason, answer.headers, answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                try:
                    content = refused.read()
                except (OSError, http.client.HTTPException):
                    content = b""  # The status says enough.
            reason = str(refused.reason)
            if 300 <= refused.code < 400 and refused.headers.get("location"):
                reason = f"The server redirects to {refused.headers['location']}, which is not followed; is base_url right?"
            return refused.code, reason, refused.headers, content
        except (OSError, http.client.HTTPException) as broken:
            cause = broken.reason if isinstance(broken, urllib.error.URLError) else broken
            raise _Broken(cause) from (cause if isinstance(cause, BaseException) else broken)


class _Broken(Exception):
    """A try that ended without an answer."""

    def __init__(self, cause: object) -> None:
        super().__init__(str(cause) or type(cause).__name__)
        self.may_have_been_sent = not isinstance(cause, _NotConnected)
        self.is_hopeless = isinstance(cause, _NotConnected) and isinstance(cause.__cause__, ssl.SSLCertVerificationError)


class _NotConnected(OSError):
    """There was no connection yet: nothing was sent."""


def _connect(connect: Callable[[], None]) -> None:
    try:
        connect()
    except OSError as error:
        raise _NotConnected(str(error) or type(error).__name__) from error


class _HTTPConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        _connect(super().connect)


class _HTTPSConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        _connect(super().connect)


class _HTTPHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_HTTPConnection, req)


class _HTTPSHandler(urllib.request.AbstractHTTPHandler):
    # Reading the trusted certificates takes long: only where they are needed.
    _trusted: Optional[ssl.SSLContext] = None

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        self._trusted = self._trusted or ssl.create_default_context()
        return self.do_open(_HTTPSConnection, req, context=self._trusted)

    https_request = urllib.request.AbstractHTTPHandler.do_request_


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects of GET only, and hands the key to nobody but the server that it was meant for."""

    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Optional[urllib.request.Request]:
        target = urllib.parse.urlsplit(newurl)
        if req.get_method() != "GET" or target.scheme not in ("http", "https"):
            return None
        followed = urllib.request.Request(newurl, headers=dict(req.headers), method="GET")
        key = req.unredirected_hdrs.get("Authorization")
        if key is not None and _server_of(req.full_url) == _server_of(newurl):
            followed.add_unredirected_header("Authorization", key)
        return followed

    # Python before 3.11 does not know 308.
    def http_error_308(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any) -> Any:
        return self.http_error_302(req, fp, code, msg, headers)


def _server_of(url: str) -> Tuple[str, str, int]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def _opener_for(origin: str) -> urllib.request.OpenerDirector:
    handlers: List[urllib.request.BaseHandler] = [
        # A proxy cannot reach this machine's own loopback.
        urllib.request.ProxyHandler({} if _is_loopback(_server_of(origin)[1]) else None),
        urllib.request.UnknownHandler(),
        _HTTPHandler(),
        _HTTPSHandler(),
        _Redirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ]
    opener = urllib.request.OpenerDirector()
    opener.addheaders = []
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _json_of(status: int, headers: Message, content: bytes) -> Any:
    if not content:
        return None
    try:
        return json.loads(content)
    except ValueError:
        text = content.decode("utf-8", "replace")
        detail = "The answer is not JSON; is base_url right?"
        raise ApiError(status, detail, headers.get("x-request-id"), None, text) from None


def _body_of(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace") or None


def _retry_after_of(headers: Message) -> Optional[float]:
    """Seconds, from either form of the header: a number, or a date."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            at = email.utils.parsedate_to_datetime(text)
        except (TypeError, ValueError):
            return None
        at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
        seconds = (at - datetime.now(timezone.utc)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
