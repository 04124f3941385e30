"""A recogniser that stalls in the middle of a real call: the one behind it understands what was said."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.line import on_the_line
from tests.recordings import BECKETT, word_error_rate
from tests.server import QUICK, serving

pytestmark = pytest.mark.timeout(60)

STALLING = QUICK | {
    "BELUGA_STT__OPTIONS": '{"delay_ms": 10000}',
    "BELUGA_STT__FALLBACK": "moonshine",
    "BELUGA_VAD__PROVIDER": "silero",
}


async def test_what_a_stalled_recogniser_keeps_to_itself_is_heard_by_the_next() -> None:
    with serving(STALLING) as server:
        async with on_the_line(server.ws_url) as line:
            await line.say(BECKETT.phrase(0))
            heard = await line.until_message("transcript", final=True)
            await line.until_message("reply", event="done")
        async with httpx.AsyncClient(base_url=server.base_url) as http:
            metrics = (await http.get("/metrics")).text

    assert word_error_rate(BECKETT.phrases[0].text, heard["text"]) <= 0.3
    assert 'provider_errors_total{code="timed_out",kind="stt",provider="fixed"} 1.0' in metrics
    assert 'circuit_breaker_state{kind="stt",provider="moonshine"} 0.0' in metrics
