"""Whether a provider is worth asking: a circuit breaker. Pure; the time is an argument.

What counts as a failure is for ``is_failure`` to say: whatever the provider is to blame for. A request that it
understood and refused (``Rejected``) tells nothing of its health, for another request may be welcome.
"""

from __future__ import annotations

from enum import IntEnum

from providers.errors import Rejected

__all__ = ("FAILURES_TO_OPEN", "OPEN_MS", "SUCCESSES_TO_CLOSE", "Breaker", "BreakerState", "is_failure")

FAILURES_TO_OPEN = 5
"""In a row."""

OPEN_MS = 30_000

SUCCESSES_TO_CLOSE = 2


class BreakerState(IntEnum):
    """The values are those of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


def is_failure(error: Exception) -> bool:
    """Retryable errors, ``Malformed``, and whatever a provider raises against its contract."""
    return not isinstance(error, Rejected)


class Breaker:
    """Of one provider, for all who ask it. ``asked`` is followed by one of ``succeeded``, ``failed``, ``given_up``.

    Half-open it lets one trial through at a time; an answer to a request from before then counts as the trial's: it
    tells as much of the provider. An open breaker stays ``OPEN`` until somebody asks after its time.
    """

    def __init__(self) -> None:
        self.state = BreakerState.CLOSED
        self._failures = 0
        self._successes = 0
        self._opened_ms = 0
        self._trying = False

    def allows(self, now_ms: int) -> bool:
        """Whether somebody may ask the provider now. Changes nothing."""
        if self.state is BreakerState.OPEN:
            return now_ms - self._opened_ms >= OPEN_MS
        return not self._trying

    def asked(self, now_ms: int) -> bool:
        """A request goes out, as ``allows`` said that it may. True for a trial."""
        if self.state is BreakerState.OPEN and self.allows(now_ms):
            self.state = BreakerState.HALF_OPEN
            self._successes = 0
        self._trying = self.state is BreakerState.HALF_OPEN
        return self._trying

    def succeeded(self) -> None:
        self._failures = 0
        if self.state is BreakerState.HALF_OPEN:
            self._trying = False
            self._successes += 1
            if self._successes >= SUCCESSES_TO_CLOSE:
                self.state = BreakerState.CLOSED

    def failed(self, now_ms: int) -> None:
        """What fails while the breaker is open was asked before, and does not keep it open longer."""
        if self.state is BreakerState.OPEN:
            return
        self._failures += 1
        if self.state is BreakerState.HALF_OPEN or self._failures >= FAILURES_TO_OPEN:
            self.state = BreakerState.OPEN
            self._opened_ms = now_ms
            self._trying = False

    def given_up(self) -> None:
        """A trial ended without telling anything: it was cancelled, or refused. Another may take its place."""
        self._trying = False
