"""A client of the credits API.

>>> from audiopod import Client
>>> client = Client()                                       # reads AUDIOPOD_API_KEY and AUDIOPOD_BASE_URL
>>> client.credits.get_credit_balance().total_available_credits  # doctest: +SKIP
2250
"""

from ._client import Client
from ._credits import NOT_GIVEN, Credits, NotGiven
from ._errors import (
    APIConnectionError,
    ApiError,
    AudioPodError,
    AuthenticationError,
    ConflictError,
    InsufficientCreditsError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from ._models import Alerts, AutoTopup, CheckoutSession, CreditBalance, Estimate, Number, PaygInfo
from ._version import __version__

__all__ = [
    "APIConnectionError",
    "Alerts",
    "ApiError",
    "AudioPodError",
    "AuthenticationError",
    "AutoTopup",
    "CheckoutSession",
    "Client",
    "ConflictError",
    "CreditBalance",
    "Credits",
    "Estimate",
    "InsufficientCreditsError",
    "InvalidRequestError",
    "NOT_GIVEN",
    "NotFoundError",
    "NotGiven",
    "Number",
    "PaygInfo",
    "PermissionDeniedError",
    "RateLimitError",
    "ServerError",
    "__version__",
]
