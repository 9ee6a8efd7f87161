"""What can go wrong. Everything this package raises by itself is an :class:`AudioPodError`, but for wrong arguments (``ValueError``)."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Type


class AudioPodError(Exception):
    """The base of all errors of this package."""


class APIConnectionError(AudioPodError, ConnectionError):
    """The server could not be reached, or the connection broke or timed out before the whole answer was there."""


class ApiError(AudioPodError):
    """The server answered, and not with what was asked for.

    ``status`` is the HTTP status, ``detail`` says in words what is wrong, ``request_id`` is the answer's ``x-request-id``,
    ``retry_after`` is what its ``Retry-After`` says in seconds, and ``body`` is the whole answer: its JSON, or its text where it is none.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        request_id: Optional[str] = None,
        retry_after: Optional[float] = None,
        body: Any = None,
    ) -> None:
        # All of them, so that the error can be pickled.
        super().__init__(status, detail, request_id, retry_after, body)
        self.status = status
        self.detail = detail
        self.request_id = request_id
        self.retry_after = retry_after
        self.body = body

    def __str__(self) -> str:
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.status}: {self.detail}{request}"


class InvalidRequestError(ApiError):
    """400, 422: something is wrong with what was sent; a repeat cannot succeed."""

    @property
    def errors(self) -> List[Dict[str, Any]]:
        """One ``{"loc", "msg", "type"}`` per fault of a 422; empty where the server says it in ``detail`` only."""
        detail = self.body.get("detail") if isinstance(self.body, dict) else None
        return [error for error in detail if isinstance(error, dict)] if isinstance(detail, list) else []


class AuthenticationError(ApiError):
    """401: the key is missing, unknown, revoked or expired."""


class InsufficientCreditsError(ApiError):
    """402: credits, or a limit on them, do not cover it; ``body`` may say which limit refused."""


class PermissionDeniedError(ApiError):
    """403: this key, or this account, may not do that."""


class NotFoundError(ApiError):
    """404: there is no such thing."""


class ConflictError(ApiError):
    """409: this was done before, with other contents."""


class RateLimitError(ApiError):
    """429: too many requests; ``retry_after`` says how many seconds to wait, where the server knows."""


class ServerError(ApiError):
    """5xx: a fault of the server's, or one that passes; ``retry_after`` as in :class:`RateLimitError`."""


_BY_STATUS: Dict[int, Type[ApiError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: InsufficientCreditsError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidRequestError,
    429: RateLimitError,
}


def error_of(status: int, reason: str, request_id: Optional[str], retry_after: Optional[float], body: Any) -> ApiError:
    """The error that an answer stands for."""
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    return kind(status, _detail_of(body) or reason or "no reason given", request_id, retry_after, body)


def _detail_of(body: Any) -> str:
    """The answer's own words; empty where it has none."""
    if not isinstance(body, dict):
        return ""
    detail = body.get("detail")
    if isinstance(detail, list):
        return "; ".join(_fault_of(fault) for fault in detail)
    # Faults outside the credits routes come in the shape of their own dialect.
    for words in (detail, body.get("message"), body.get("error")):
        if isinstance(words, str) and words:
            return words
    return ""


def _fault_of(fault: Any) -> str:
    if not isinstance(fault, dict):
        return str(fault)
    place = fault.get("loc")
    where = ".".join(str(part) for part in place) if isinstance(place, list) else ""
    message = str(fault.get("msg") or fault.get("type") or "is not valid")
    return f"{where}: {message}" if where else message
