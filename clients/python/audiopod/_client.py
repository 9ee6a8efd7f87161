"""The client."""

from __future__ import annotations

import os
from typing import Optional

from ._credits import Credits
from ._errors import AudioPodError
from ._transport import Transport

DEFAULT_BASE_URL = "http://127.0.0.1:5080"


class Client:
    """A client of one server with one key. It keeps no connection and may be shared by threads.

    ``api_key``: without it, ``AUDIOPOD_API_KEY``; an access token does as well.
    ``base_url``: without it, ``AUDIOPOD_BASE_URL``, and without that ``http://127.0.0.1:5080``; with or without ``/api/v1``.
    ``timeout``: seconds, for connecting and for each wait on the server.
    ``max_retries``: how often a request is sent again after a fault that may pass.

    Raises :class:`audiopod.AudioPodError` where there is no key, ``ValueError`` where an argument cannot be right.
    """

    #: The routes under ``/api/v1/credits``.
    credits: Credits

    def __init__(
        self,
        api_key: Optional[str] = None,
        base_url: Optional[str] = None,
        timeout: float = 30.0,
        max_retries: int = 2,
    ) -> None:
        key = (os.environ.get("AUDIOPOD_API_KEY", "") if api_key is None else api_key).strip()
        if not key:
            raise AudioPodError("There is no API key: pass api_key, or set AUDIOPOD_API_KEY.")
        if not all("!" <= character <= "~" for character in key):
            raise ValueError("api_key holds characters that no key has.")
        if not timeout > 0:
            raise ValueError("timeout must be above 0 seconds.")
        if max_retries < 0:
            raise ValueError("max_retries must be 0 or more.")
        address = (os.environ.get("AUDIOPOD_BASE_URL", "") if base_url is None else base_url).strip()
        self._transport = Transport(address or DEFAULT_BASE_URL, key, timeout, max_retries)
        self.credits = Credits(self._transport)

    @property
    def base_url(self) -> str:
        """Where requests go, without ``/api/v1``."""
        return self._transport.origin

    def __repr__(self) -> str:
        # Without the key: this ends up in logs.
        return f"Client(base_url={self.base_url!r})"
