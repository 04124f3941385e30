"""What the tests of several providers as one share."""

from __future__ import annotations

import asyncio
from typing import Any

from providers.errors import Unreachable
from providers.fakes import FakeAgent
from session import AgentInOrder, SpeechToTextInOrder, TextToSpeechInOrder
from session.breaker import BreakerState
from session.notices import ProviderCalled
from tests.session.aio.stage import Witness

__all__ = ("GONE", "SOON_MS", "Clock", "answering", "calls", "named", "never", "states")

GONE = Unreachable("gone", provider="first")
SOON_MS = 20


class Clock:
    now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


async def never() -> None:
    await asyncio.Event().wait()


def named(provider: Any, name: str) -> Any:
    provider.name = name
    return provider


def answering(answer: str) -> FakeAgent:
    return FakeAgent(lambda request: [answer] if request.type == "turn" else [])


def states(several: SpeechToTextInOrder | TextToSpeechInOrder | AgentInOrder) -> list[BreakerState]:
    return [breaker.state for _, breaker in several.breakers]


def calls(witness: Witness, kind: str) -> list[tuple[str, str | None]]:
    return [(call.provider, call.error) for call in witness.of(ProviderCalled) if call.kind == kind]
