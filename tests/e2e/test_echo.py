"""A caller on a speakerphone, whose line returns the agent's own voice."""

from __future__ import annotations

import pytest

from tests.e2e.line import on_the_line
from tests.e2e.speakerphone import Speakerphone
from tests.recordings import BECKETT
from tests.server import ServerHandle

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("below_db", [10.0, 18.0])
async def test_the_agent_is_not_interrupted_by_its_own_voice(demo_server: ServerHandle, below_db: float) -> None:
    phone = Speakerphone(delay_ms=200, below_db=below_db)
    async with on_the_line(demo_server.ws_url, phone) as line:
        await line.until_message("reply", event="done")
        await line.send("text", text="tell me a story")
        await line.until(lambda line: line.now_ms > 30_000, 60)

    assert [] == line.of("clear")
    assert [] == [message["text"] for message in line.of("transcript", final=True)][1:]


async def test_a_caller_who_breaks_in_over_the_echo_is_heard(demo_server: ServerHandle) -> None:
    phone = Speakerphone(delay_ms=200, below_db=18.0)
    async with on_the_line(demo_server.ws_url, phone) as line:
        await line.until_message("reply", event="done")
        await line.send("text", text="tell me a story")
        await line.until(lambda line: line.now_ms > 15_000, 60)
        await line.say(BECKETT.phrase(0))
        await line.until_message("clear", 10)

    assert 1 == len(line.of("clear"))
