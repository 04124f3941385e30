"""Is there room for one more? A call that would break the others is refused before it begins."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from app.settings import Limits

__all__ = ("Admission", "Bucket", "Reason", "Refused")


class Reason(StrEnum):
    WARMING = "warming"
    FULL = "full"
    DRAINING = "draining"
    RATE = "rate"


_MESSAGES = {
    Reason.WARMING: "the models are still loading",
    Reason.FULL: "all sessions are taken",
    Reason.DRAINING: "the server is shutting down",
    Reason.RATE: "too many requests",
}
_RETRY_AFTER_S = {Reason.WARMING: 2, Reason.FULL: 5, Reason.DRAINING: 10}
_MOST_CALLERS = 10_000


class Refused(Exception):
    """``retry_after_s``: when it is worth another try."""

    def __init__(self, reason: Reason, retry_after_s: int) -> None:
        super().__init__(_MESSAGES[reason])
        self.reason = reason
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Bucket:
    """Lets ``rate`` a second through on average, and up to ``burst`` at once."""

    rate: float
    burst: float
    level: float = 0.0
    at_s: float = 0.0

    def take(self, now_s: float) -> bool:
        """Whether one more passes at ``now_s``, a clock that does not go back."""
        self.level = max(0.0, self.level - (now_s - self.at_s) * self.rate)
        self.at_s = now_s
        if self.level + 1 > self.burst:
            return False
        self.level += 1
        return True


class Admission:
    """``sessions`` counts what is taken. ``warm`` and ``draining`` are set by whoever starts and stops the server."""

    def __init__(self, limits: Limits, *, sessions: Callable[[], int], clock_s: Callable[[], float]) -> None:
        self._limits = limits
        self._sessions = sessions
        self._clock_s = clock_s
        self._callers: OrderedDict[str, Bucket] = OrderedDict()
        self.warm = False
        self.draining = False

    def obstacle(self) -> Reason | None:
        """Why nobody new is taken at present, if so."""
        if self.draining:
            return Reason.DRAINING
        if not self.warm:
            return Reason.WARMING
        return Reason.FULL if self._sessions() >= self._limits.max_sessions else None

    def admit(self, caller: str) -> None:
        """Let ``caller`` have one more session.

        :raises Refused:
        """
        obstacle = self.obstacle()
        if obstacle is not None:
            raise Refused(obstacle, _RETRY_AFTER_S[obstacle])
        if not self._bucket(caller).take(self._clock_s()):
            raise Refused(Reason.RATE, max(1, round(60 / self._limits.starts_per_minute)))

    def message_bucket(self) -> Bucket:
        """For the text messages of one connection: the rate holds over ten seconds."""
        rate = self._limits.messages_per_second
        return Bucket(rate=rate, burst=10 * rate, at_s=self._clock_s())

    def _bucket(self, caller: str) -> Bucket:
        """The callers of late, the least recent forgotten first: a bucket forgotten is an empty one."""
        bucket = self._callers.pop(caller, None)
        if bucket is None:
            per_minute = self._limits.starts_per_minute
            bucket = Bucket(rate=per_minute / 60, burst=per_minute, at_s=self._clock_s())
        self._callers[caller] = bucket
        if len(self._callers) > _MOST_CALLERS:
            self._callers.popitem(last=False)
        return bucket
