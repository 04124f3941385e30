"""Records the calls of this folder anew: ``python -m tests.traces.record``, with the extra ``local`` installed.

To be run, and its files committed, when the engine decides otherwise on purpose. A real server with the embedded models
records them; the caller is the embedded voice, which says what stands below, so that nobody's speech is kept.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from providers import create
from providers.api import SpeechOptions, TextToSpeech
from providers.resample import Resampler
from tests.e2e.line import Line, on_the_line
from tests.server import ServerHandle, serving

FOLDER = Path(__file__).parent

Call = Callable[[Line, Callable[[str], Awaitable[bytes]]], Awaitable[None]]


async def a_question_and_goodbye(line: Line, spoken: Callable[[str], Awaitable[bytes]]) -> None:
    await line.say(await spoken("Please count to three."))
    await line.until_message("reply", event="done")
    await line.say(await spoken("Thank you. Goodbye."))
    await line.until_message("ended")


async def a_story_that_is_broken_into(line: Line, spoken: Callable[[str], Awaitable[bytes]]) -> None:
    enough = await spoken("Please stop, that is enough, what time is it?")
    await line.say(await spoken("Tell me a story."))
    await line.until_message("state", state="speaking")
    told = len(line.audio)
    await line.until(lambda line: len(line.audio) == told + 100)  # two seconds of it
    await line.say(enough)
    await line.until_message("reply", event="done", interrupted=False)
    await line.send("stop")
    await line.until_message("ended")


async def an_assent_that_breaks_into_nothing(line: Line, spoken: Callable[[str], Awaitable[bytes]]) -> None:
    okay = await spoken("Okay.")
    await line.say(await spoken("Please count to twelve."))
    await line.until_message("state", state="speaking")
    await line.say(okay)
    await line.until_message("reply", event="done")
    await line.send("stop")
    await line.until_message("ended")


CALLS: tuple[Call, ...] = (a_question_and_goodbye, a_story_that_is_broken_into, an_assent_that_breaks_into_nothing)


async def record(server: ServerHandle, call: Call, tts: TextToSpeech) -> str:
    """The id of the session."""

    async def spoken(text: str) -> bytes:
        to_line = Resampler(tts.rate_hz, 16_000)
        pieces = [to_line.process(chunk.pcm) async for chunk in tts.synthesise(text, SpeechOptions())]
        return b"".join(pieces) + to_line.process(b"", last=True)

    async with on_the_line(server.ws_url) as line:
        try:
            await call(line, spoken)
        finally:
            for at_ms, message in line.messages:
                if message["type"] not in ("state", "speech"):
                    print(f"{at_ms:7} {json.dumps(message)[:110]}")  # noqa: T201 -- a script
    return str(line.messages[0][1]["session_id"])


async def record_all(server: ServerHandle) -> dict[str, str]:
    tts: TextToSpeech = create("tts", "piper")
    await tts.warm_up()
    recorded = {call.__name__: await record(server, call, tts) for call in CALLS}
    await tts.aclose()
    return recorded


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = {"BELUGA_LOG__TRACES": folder, "BELUGA_AGENT__OPTIONS": '{"greeting": ""}'}
        with serving(settings) as server:
            recorded = asyncio.run(record_all(server))
            server.stop()
        for name, session_id in recorded.items():
            shutil.copyfile(Path(folder, f"{session_id}.jsonl"), FOLDER / f"{name}.jsonl")


if __name__ == "__main__":
    main()
