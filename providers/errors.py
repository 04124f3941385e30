"""What can go wrong with a provider: one tree, and the class tells what to do about it.

::

    ProviderError
    ├── RetryableError      the same request may succeed later
    │   ├── Unreachable     no connection, or it was reset
    │   ├── Overloaded      429, 5xx, a full queue
    │   └── TimedOut        nothing came within the limit
    └── PermanentError      the same request will fail again
        ├── Rejected        the provider understood and refused (credentials, 4xx, bad options)
        └── Malformed       its answer cannot be understood

A provider raises nothing else from the methods of its protocol, ``CancelledError`` apart.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = (
    "Malformed",
    "Overloaded",
    "PermanentError",
    "ProviderError",
    "Rejected",
    "RetryableError",
    "TimedOut",
    "Unreachable",
)


class ProviderError(Exception):
    """The root. ``provider`` is the registered name, such as ``piper``; the cause is kept as ``__cause__``."""

    retryable: ClassVar[bool] = False
    code: ClassVar[str] = "provider_error"

    def __init__(self, message: str, *, provider: str = "") -> None:
        super().__init__(f"{provider}: {message}" if provider else message)
        self.provider = provider


class RetryableError(ProviderError):
    retryable = True


class PermanentError(ProviderError):
    pass


class Unreachable(RetryableError):
    code = "unreachable"


class Overloaded(RetryableError):
    """``retry_after_s`` is what the provider asked for, if it did."""

    code = "overloaded"

    def __init__(self, message: str, *, provider: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, provider=provider)
        self.retry_after_s = retry_after_s


class TimedOut(RetryableError):
    code = "timed_out"


class Rejected(PermanentError):
    code = "rejected"


class Malformed(PermanentError):
    code = "malformed"
