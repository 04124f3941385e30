"""A caller on a speakerphone, whose line returns the agent's own voice."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import numpy as np
import pytest

from providers.stt.moonshine import Moonshine
from tests.e2e.at_the_ear import a_story, overhear, recognised
from tests.e2e.line import Line, on_the_line
from tests.e2e.speakerphone import Speakerphone
from tests.recordings import TWO_CITIES, silence, word_error_rate
from tests.server import ServerHandle

pytestmark = pytest.mark.timeout(180)

QUIET = TWO_CITIES.pcm(from_ms=TWO_CITIES.phrases[0].start_ms - 100, to_ms=TWO_CITIES.phrases[2].end_ms + 300)
BREAKS_IN = (np.frombuffer(QUIET, "<i2").astype(np.int32) * 3).clip(-32_768, 32_767).astype("<i2").tobytes()
"""It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness. As loud
as people speak into a microphone; the recording is 10 dB fainter."""


PAUSES_AFTER_MS = 200
"""So much voice pauses a reply."""


# --- at the ear, as fast as it goes -------------------------------------------------------------------------------


async def test_an_echo_of_any_loudness_and_delay_is_no_voice() -> None:
    story = await a_story(12_000)
    for delay_ms, below_db in ((60, 10.0), (200, 18.0), (400, 10.0)):
        overheard = await overhear(story, Speakerphone(delay_ms=delay_ms, below_db=below_db))

        assert overheard.echo_found
        assert overheard.longest_voice_ms() < PAUSES_AFTER_MS


async def test_an_echo_that_becomes_louder_and_later_interrupts_nobody() -> None:
    phones = ((200, 16.0), (200, 10.0), (260, 10.0), (60, 18.0))
    story = await a_story(40_000)
    overheard = await overhear(story, *(Speakerphone(delay_ms=late, below_db=below) for late, below in phones))

    assert overheard.longest_voice_ms() < PAUSES_AFTER_MS


@pytest.mark.parametrize("listens_ms", [2_500, 8_000])
async def test_a_caller_over_an_echo_is_heard_at_once_and_understood_as_without_it(listens_ms: int) -> None:
    caller = silence(listens_ms) + BREAKS_IN
    story = await a_story(len(caller) // 32 + 400)
    over = await overhear(story, Speakerphone(delay_ms=200, below_db=10.0), caller=caller)
    stt = Moonshine()
    await stt.warm_up()
    alone, heard = [await recognised(stt, pcm) for pcm in (BREAKS_IN, over.speech[listens_ms * 32 :])]
    await stt.aclose()
    spoken = " ".join(phrase.text for phrase in TWO_CITIES.phrases[:3])
    voiced = [at for at, window in enumerate(over.windows) if window.probability > 0.5]

    assert voiced[0] * 32 >= listens_ms
    assert (voiced[PAUSES_AFTER_MS // 32] + 1) * 32 < listens_ms + 100 + 500
    assert word_error_rate(spoken, heard) <= max(0.1, 1.5 * word_error_rate(spoken, alone))


# --- in calls, as long as they take -------------------------------------------------------------------------------


async def a_call_that_is_broken_into(server: ServerHandle, phone: Speakerphone) -> tuple[str, str, str]:
    """How often the story was broken off before the caller breaks in and then, and what was understood of them."""
    async with on_the_line(server.ws_url, phone) as line:
        await line.until_message("reply", event="done")
        await line.send("text", text="tell me a story")
        await line.until_message("reply", event="started")
        began_ms = line.now_ms
        await line.until(lambda line: line.now_ms > began_ms + 8_000, 60)
        before = f"{len(line.of('clear'))} clear"
        await line.say(BREAKS_IN)
        await line.until_message("clear", 20)
        broke_in = line.of("clear")
        with suppress(TimeoutError):  # the last of their words may be the one that was misheard
            await line.until(lambda line: "foolish" in said_by(line), 15)
        await line.send("stop")
    return before, f"{len(broke_in)} clear", said_by(line)


def said_by(line: Line) -> str:
    """After the turn that asked for the story: all turns of it, because the caller takes breath between two clauses."""
    return " ".join(message["text"].lower() for message in line.of("transcript", final=True)[1:]).strip()


async def test_the_agent_is_not_interrupted_by_its_own_voice(demo_server: ServerHandle) -> None:
    phones = [Speakerphone(delay_ms=200, below_db=10.0), Speakerphone(delay_ms=60, below_db=18.0)]
    calls = await asyncio.gather(*(a_call_that_is_broken_into(demo_server, phone) for phone in phones))

    assert ["0 clear"] * 2 == [before for before, _, _ in calls]
    assert ["1 clear"] * 2 == [broken_into for _, broken_into, _ in calls]
    for _, _, said in calls:
        assert np.mean([word in said for word in ("worst", "age", "wisdom", "foolishness")]) >= 0.5
