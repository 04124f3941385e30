"""Steering a call from outside of its stream: what every gateway's REST interface is asked in the same words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

__all__ = ("CallControl", "GatewayError", "NewCall", "Operation")

Operation = Literal["hang_up", "transfer", "send_digits", "call"]


class GatewayError(Exception):
    """A gateway did not do what it was asked to; its text names gateway, operation and what the vendor said.

    ``status`` is of HTTP, None where no answer came.
    """

    def __init__(self, gateway: str, operation: Operation, reason: str, *, status: int | None = None) -> None:
        super().__init__(f"{gateway}: {operation}: {reason}")
        self.gateway = gateway
        self.operation = operation
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class NewCall:
    """``to`` and ``from_``: in E.164. Who answers is connected as our webhook at ``answer_url`` says, or straight to
    the stream at ``stream_url``, as the vendor has it."""

    to: str
    from_: str
    answer_url: str
    stream_url: str


class CallControl(Protocol):
    """One gateway's REST interface. Safe to use for many calls at once.

    Every method takes at most ten seconds, with all its tries. A call that has ended already is hung up: that is
    success.
    """

    name: ClassVar[str]
    operations: ClassVar[frozenset[Operation]]
    """What the vendor's interface has; the others raise."""

    async def hang_up(self, call_id: str) -> None:
        """
        :raises GatewayError:
        """

    async def transfer(self, call_id: str, to: str, *, caller_id: str | None = None) -> None:
        """Connect the caller with ``to``, a number in E.164 or a SIP URI; the stream ends. ``caller_id``: a number of
        ours, for the vendors that show no other.

        :raises GatewayError:
        """

    async def send_digits(self, call_id: str, digits: str) -> None:
        """Into the call, as DTMF: of ``0-9*#A-D``, and ``w`` for half a second of silence where the vendor has it.

        :raises GatewayError:
        """

    async def call(self, new: NewCall) -> str:
        """Ring somebody. Gives the call's id. Not tried again once it may have been heard: nobody is rung twice.

        :raises GatewayError:
        """

    async def aclose(self) -> None: ...
