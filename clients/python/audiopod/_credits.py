"""``client.credits``: balance, usage, prices, buying."""

from __future__ import annotations

import enum
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, Dict, Iterator, List, Optional, Set, Union

from ._errors import AudioPodError
from ._models import Alerts, AutoTopup, CheckoutSession, CreditBalance, Estimate, Number, PaygInfo, from_wire
from ._transport import Transport

#: A moment (a ``datetime`` that knows its offset), a day in UTC (a ``date``), or either as the wire writes it.
When = Union[datetime, date, str]

#: An amount to send.
Amount = Union[int, float, Decimal]

_LARGEST_PAGE = 1000


class _NotGiven(enum.Enum):
    NOT_GIVEN = "NOT_GIVEN"

    def __repr__(self) -> str:
        return "NOT_GIVEN"


#: Stands for "leave it as it is", where None means "switch it off".
NOT_GIVEN = _NotGiven.NOT_GIVEN
NotGiven = _NotGiven


class Credits:
    """The routes under ``/api/v1/credits``. Made by :class:`audiopod.Client`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_credit_balance(self) -> CreditBalance:
        """What is there now."""
        return from_wire(CreditBalance, self._transport.get("/credits"))

    def get_usage_history(
        self,
        limit: Optional[int] = None,
        offset: Optional[int] = None,
        service_type: Optional[str] = None,
        start: Optional[When] = None,
        end: Optional[When] = None,
    ) -> List[Dict[str, Any]]:
        """Entries of the usage log as the server wrote them, newest first: one per spend and source that paid for it.

        At most ``limit`` of them (1 to 1,000; 1,000 where it is not given), after the first ``offset``. A ``datetime`` without an
        offset from UTC is refused with ``ValueError``: it could mean any of 24 hours.
        """
        query = {"limit": limit, "offset": offset, "service_type": service_type, "from": _when(start), "to": _when(end)}
        entries = self._transport.get("/credits/usage", query)
        if not isinstance(entries, list):
            raise AudioPodError("The server's answer is not the JSON list that a usage log is.")
        return entries

    def iter_usage(
        self,
        page_size: int = _LARGEST_PAGE,
        service_type: Optional[str] = None,
        start: Optional[When] = None,
        end: Optional[When] = None,
    ) -> Iterator[Dict[str, Any]]:
        """The whole usage log, newest first, read page by page as it is asked for.

        Entries written meanwhile come in at the front and are not part of it; none is given twice for that.
        """
        if not 1 <= page_size <= _LARGEST_PAGE:
            raise ValueError(f"page_size must be from 1 to {_LARGEST_PAGE}.")
        # Wrong arguments show here, not at the first entry.
        return self._pages(page_size, service_type, _when(start), _when(end))

    def _pages(
        self, page_size: int, service_type: Optional[str], start: Optional[str], end: Optional[str]
    ) -> Iterator[Dict[str, Any]]:
        # What is new at the front pushes the rest back, so that the next page begins with entries of the page before.
        seen: Set[Any] = set()
        offset = 0
        while True:
            page = self.get_usage_history(page_size, offset, service_type, start, end)
            for entry in page:
                name = entry.get("id")
                if name is None or name not in seen:
                    seen.add(name)
                    yield entry
            if len(page) < page_size:
                return
            offset += len(page)

    def get_multipliers(self) -> Dict[str, Number]:
        """What each service costs in credits: per minute, but for those that the server's documents name."""
        multipliers = self._transport.get("/credits/multipliers")
        if not isinstance(multipliers, dict):
            raise AudioPodError("The server's answer is not the JSON object that a table of multipliers is.")
        return multipliers

    def get_payg_info(self) -> PaygInfo:
        """The terms of pay-as-you-go."""
        return from_wire(PaygInfo, self._transport.get("/credits/payg/info"))

    def create_payg_checkout_session(self, amount_usd: Amount) -> CheckoutSession:
        """Opens a checkout for as many dollars; the credits come when it is paid at its ``url``.

        Not sent again after a connection that broke while the answer was awaited, since that could open a second one.
        """
        body = {"amount_usd": _number(amount_usd)}
        return from_wire(
            CheckoutSession,
            self._transport.post("/credits/payg/create-checkout-session", body, is_repeatable=False),
        )

    def estimate(
        self,
        service_type: str,
        duration: Optional[Amount] = None,
        characters: Optional[Amount] = None,
        units: Optional[Amount] = None,
    ) -> Estimate:
        """What a service would cost for a ``duration`` in seconds, for ``characters``, or for its own ``units``."""
        measures = {"duration": duration, "characters": characters, "units": units}
        body: Dict[str, Any] = {"service_type": service_type}
        body.update({name: _number(value) for name, value in measures.items() if value is not None})
        return from_wire(Estimate, self._transport.post("/credits/estimate", body, is_repeatable=True))

    def get_alerts(self) -> Alerts:
        """When and where to be told that credits run low."""
        return from_wire(Alerts, self._transport.get("/credits/alerts"))

    def set_alerts(
        self,
        *,
        warning_threshold: Union[Amount, None, NotGiven] = NOT_GIVEN,
        critical_threshold: Union[Amount, None, NotGiven] = NOT_GIVEN,
        webhook_url: Union[str, None, NotGiven] = NOT_GIVEN,
        email: Union[bool, NotGiven] = NOT_GIVEN,
    ) -> Alerts:
        """Changes what is given and leaves the rest; None switches it off. With ``email``, the account's address is written to.

        Answers what then holds.
        """
        change = _given(
            warning_threshold=warning_threshold, critical_threshold=critical_threshold, webhook_url=webhook_url, email=email
        )
        return from_wire(Alerts, self._transport.put("/credits/alerts", change))

    def get_auto_topup(self) -> AutoTopup:
        """Whether and how credits are bought by themselves."""
        return from_wire(AutoTopup, self._transport.get("/credits/auto-topup"))

    def set_auto_topup(
        self,
        *,
        enabled: Union[bool, NotGiven] = NOT_GIVEN,
        threshold_credits: Union[Amount, None, NotGiven] = NOT_GIVEN,
        amount_usd: Union[Amount, None, NotGiven] = NOT_GIVEN,
        max_per_day: Union[int, None, NotGiven] = NOT_GIVEN,
    ) -> AutoTopup:
        """Changes what is given and leaves the rest. Answers what then holds."""
        change = _given(enabled=enabled, threshold_credits=threshold_credits, amount_usd=amount_usd, max_per_day=max_per_day)
        return from_wire(AutoTopup, self._transport.put("/credits/auto-topup", change))


def _given(**members: Any) -> Dict[str, Any]:
    change = {name: _number(value) for name, value in members.items() if value is not NOT_GIVEN}
    if not change:
        raise ValueError("Nothing to change: give at least one of " + ", ".join(members) + ".")
    return change


def _number(value: Any) -> Any:
    """JSON has no ``Decimal``; whole ones are sent as integers."""
    if not isinstance(value, Decimal):
        return value
    return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)


def _when(value: Optional[When]) -> Optional[str]:
    """A time as the wire writes it: UTC, without a fraction where there is none, else with six digits."""
    if not isinstance(value, datetime):
        return value.isoformat() if isinstance(value, date) else value
    if value.utcoffset() is None:
        raise ValueError(f"{value!r} does not say its offset from UTC; give it one, such as tzinfo=timezone.utc.")
    text = value.astimezone(timezone.utc).isoformat(timespec="microseconds" if value.microsecond else "seconds")
    return text.replace("+00:00", "Z")
