"""What is written is read aloud as people read it: a real voice says it, and a real recogniser hears it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from providers.api import SpeechOptions
from providers.resample import Resampler
from providers.stt.moonshine import Moonshine
from providers.tts.piper import Piper

STT_HZ = 16_000


@pytest.fixture
async def ear() -> AsyncIterator[Moonshine]:
    ear = Moonshine()
    await ear.warm_up()
    yield ear
    await ear.aclose()


# No two readings are alike; each of these was heard in all of six. Without the spoken form none of them is: "pound 12",
# "slash moffer everyone", "2026-11-23", "deck 31st", "12, M2, and 3, M", "three slash four".
@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("The ticket costs €15 or £12.50.", r"15 euros or 12 pounds"),
        ("They raised $3.5M last year.", r"3\.5 million"),
        ("The plan is $9.99/mo for everyone.", r"per month"),
        ("The meeting is on 2026-11-23 in Boston.", r"november (23|twenty)"),
        ("The offer ends Dec 31st at noon.", r"december (31|thirty)"),
        ("The road is 5 km long.", r"(5|five) kilometers"),
        ("Drive at 65 mph on this road.", r"miles per hour"),
        ("The room is 12 m² and 3m high.", r"square meters and (3|three) meters"),
        ("It is 50% off and 3/4 full.", r"three.quarters"),
        ("Use version 3.11.2 and not v2.0 here.", r"version (2|two)\.0"),
        ("It is 1½ hours away, w/ a break.", r"(1|one) and a half hours away,? with a break"),
    ],
)
async def test_what_is_written_is_heard_as_people_say_it(
    voice: Piper, ear: Moonshine, written: str, heard: str
) -> None:
    pcm = b"".join([chunk.pcm async for chunk in voice.synthesise(written, SpeechOptions())])
    stream = ear.open()
    stream.feed(Resampler(voice.rate_hz, STT_HZ).process(pcm, last=True))
    stream.finalise()
    transcript = await anext(aiter(stream))
    await stream.aclose()

    assert re.search(heard, transcript.text.lower()), transcript.text
