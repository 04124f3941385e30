"""Each phone gateway, through its own wire format: heard, answered, interrupted, hung up after the last word."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from app.wire.phone.far.catalogue import GATEWAYS
from providers import create
from providers.agent.demo import STORY
from providers.resample import Resampler
from tests.e2e.at_the_ear import recognised
from tests.e2e.phone_calls import AgentOfCalls, Conversation, agent_of_calls, on_the_phone
from tests.recordings import TWO_CITIES, plain, word_error_rate
from tests.server import serving

pytestmark = pytest.mark.timeout(240)

GREETING = "What can I do for you today?"
TALE = " ".join(STORY)
GOODBYE = "Thank you very much for calling us. Have a wonderful evening, and goodbye."
ANSWERS: dict[str, list[object]] = {
    "session.started": [{"text": GREETING}],
    "turn": [{"text": TALE}, {"text": GOODBYE, "actions": [{"action": "hangup"}]}],
}

AT_ONCE = 4
"""Calls on two cores, so that each is in time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``greeting`` and ``last_words``: as a recogniser understood what came out of the phone."""

    conversation: Conversation
    greeting: str
    last_words: str

    @property
    def turns(self) -> list[str]:
        return [str(request["transcript"]) for request in self.conversation.of("turn")]

    @property
    def heard_of_tale(self) -> str:
        told = self.conversation.of("turn.interrupted")
        assert told, self.conversation.asked
        return str(told[0]["heard_text"])


def said(phrase: int, rate_hz: int) -> bytes:
    return TWO_CITIES.phrase(phrase, rate_hz)


async def a_call(base_url: str, gateway: str, agent: AgentOfCalls) -> tuple[Conversation, int, int]:
    """And when the greeting was over, and when the farewell began."""
    async with on_the_phone(base_url, gateway, agent) as conversation:
        phone, rate_hz = conversation.phone, conversation.phone.call.input.rate_hz
        await conversation.until_quiet()
        greeted_ms = phone.now_ms
        phone.say(await asyncio.to_thread(said, 1, rate_hz))
        await conversation.until(lambda call: len(call.of("turn")) >= 1)
        sounded_ms = phone.sounded_ms
        await phone.until(lambda phone: phone.sounded_ms > sounded_ms + 4_000)
        phone.say(await asyncio.to_thread(said, 0, rate_hz))
        await conversation.until(lambda call: len(call.of("turn")) >= 2)
        answered_ms = phone.now_ms
        await conversation.until_over()
    return conversation, greeted_ms, answered_ms


async def all_calls() -> dict[str, Outcome]:
    stt = await asyncio.to_thread(create, "stt", "moonshine")
    outcomes: dict[str, Outcome] = {}
    async with agent_of_calls(ANSWERS) as agent:
        with serving({"BELUGA_AGENT__PROVIDER": "webhook", "BELUGA_AGENT__URL": agent.url}) as server:
            names = list(GATEWAYS)
            for at in range(0, len(names), AT_ONCE):
                group = names[at : at + AT_ONCE]
                calls = await asyncio.gather(*(a_call(server.base_url, gateway, agent) for gateway in group))
                for gateway, (conversation, greeted_ms, answered_ms) in zip(group, calls, strict=True):
                    heard, rate_hz = bytes(conversation.phone.heard), conversation.phone.call.output.rate_hz
                    at_bytes = [at_ms * rate_hz // 1000 * 2 for at_ms in (greeted_ms, answered_ms)]
                    parts = [heard[: at_bytes[0]], heard[at_bytes[1] :]]
                    understood = [
                        await recognised(stt, Resampler(rate_hz, 16_000).process(part, last=True)) for part in parts
                    ]
                    outcomes[gateway] = Outcome(conversation, *understood)
    await stt.aclose()
    return outcomes


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return asyncio.run(all_calls())


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_call_is_heard_answered_interrupted_and_hung_up_after_the_last_word(
    gateway: str, outcomes: dict[str, Outcome]
) -> None:
    outcome = outcomes[gateway]
    phone = outcome.conversation.phone

    assert word_error_rate(GREETING, outcome.greeting) <= 0.3
    assert word_error_rate(TWO_CITIES.phrases[1].text, outcome.turns[0]) <= 0.4
    assert TALE.startswith(outcome.heard_of_tale)
    assert 4 <= len(outcome.heard_of_tale.split()) < 40
    assert {"best", "worst"} & set(plain(" ".join(outcome.turns[1:])).split())
    assert "goodbye" in outcome.last_words.lower().replace("-", "").replace("good bye", "goodbye")
    assert ["agent"] == [request["reason"] for request in outcome.conversation.of("session.ended")]
    assert phone.was_fine


@pytest.mark.parametrize("gateway", [name for name in GATEWAYS if name != "asterisk"])
def test_pains_12_what_is_buffered_is_dropped_when_the_caller_breaks_in(
    gateway: str, outcomes: dict[str, Outcome]
) -> None:
    assert outcomes[gateway].conversation.phone.of("clear")


def test_asterisk_is_paused_first(outcomes: dict[str, Outcome]) -> None:
    happened = [
        each.what for each in outcomes["asterisk"].conversation.phone.happened if each.what in ("pause", "clear")
    ]

    assert ["pause", "clear"] == happened[:2]
