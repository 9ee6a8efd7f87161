"""What the credits routes answer.

Members that the server adds later do no harm; ``raw`` of every object holds the answer as it came, those members included.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Dict, Mapping, Optional, Type, TypeVar, Union

from ._errors import AudioPodError

#: An amount: the server writes integers where they are whole.
Number = Union[int, float]

_Model = TypeVar("_Model")


@dataclass(frozen=True)
class CreditBalance:
    """What is there. Dates are the wire's texts, or None without a subscription."""

    #: What the subscription gave, and is left.
    credits_balance: Number
    #: All other credits: bought, given, earned.
    payg_balance: Number
    #: The sum of both.
    total_available_credits: Number
    last_reset_at: Optional[str]
    total_credits_used: Number
    total_payg_credits_purchased: Number
    next_reset_date: Optional[str]
    credits_per_month: Number
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def balance(self) -> Number:
        """Another name of ``credits_balance``."""
        return self.credits_balance


@dataclass(frozen=True)
class PaygInfo:
    """The terms of pay-as-you-go."""

    credits_per_dollar: Number
    min_amount_usd: Number
    max_amount_usd: Number
    currency: str
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class CheckoutSession:
    """A checkout that waits for its payment; nothing has been paid or credited yet."""

    session_id: str
    credits_to_receive: Number
    amount_usd: Number
    #: Where to pay.
    url: Optional[str] = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Estimate:
    """What a service would cost; nothing is charged."""

    service: str
    credits_needed: Number
    usd_cost: Number
    #: What the estimate is of, such as ``{"duration": 120}``.
    parameters: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Alerts:
    """When and where to be told that credits run low; None is off."""

    warning_threshold: Optional[Number] = None
    critical_threshold: Optional[Number] = None
    webhook_url: Optional[str] = None
    #: Whether the account's own address gets a letter too.
    email: bool = False
    #: How it stands: ``ok``, ``warning`` or ``critical``.
    level: Optional[str] = None
    #: With what deliveries are signed: in the answer that sets a new address only.
    webhook_secret: Optional[str] = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class AutoTopup:
    """Buying credits by itself below a threshold."""

    enabled: bool = False
    threshold_credits: Optional[Number] = None
    amount_usd: Optional[Number] = None
    max_per_day: Optional[int] = None
    #: ``off``, ``armed``, ``pending``, ``bought`` or ``backing_off``.
    state: Optional[str] = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def from_wire(model: Type[_Model], wire: Any) -> _Model:
    """Reads an object of the wire; what it does not know it leaves in ``raw``."""
    if not isinstance(wire, dict):
        raise AudioPodError(f"The server's answer is not the JSON object that a {model.__name__} is read from.")
    known: Dict[str, Any] = {"raw": wire}
    for member in fields(model):  # type: ignore[arg-type]
        if member.name in wire and member.name != "raw":
            known[member.name] = wire[member.name]
        elif member.default is MISSING and member.default_factory is MISSING:
            raise AudioPodError(f"The server's answer lacks {member.name}, which a {model.__name__} is read from.")
    return model(**known)
