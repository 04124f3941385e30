"""Recorded people talk to a server with the embedded models, in real time, and are understood and answered."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from providers import create
from tests.e2e.at_the_ear import recognised
from tests.e2e.line import Line, on_the_line
from tests.recordings import BECKETT, TWO_CITIES, word_error_rate
from tests.server import ServerHandle

pytestmark = pytest.mark.timeout(180)


def finals(line: Line) -> list[str]:
    return [message["text"] for message in line.of("transcript", final=True)]


async def test_six_sentences_are_echoed_intelligibly(echo_server: ServerHandle) -> None:
    stt = await asyncio.to_thread(create, "stt", "moonshine")
    heard: list[str] = []
    async with on_the_line(echo_server.ws_url) as line:
        for number in range(len(BECKETT.phrases)):
            from_ms = line.now_ms
            await line.say(BECKETT.phrase(number))
            await line.until_count(number + 1, "reply", event="done")
            heard.append(await recognised(stt, line.heard(from_ms)))
    await stt.aclose()

    assert word_error_rate(BECKETT.text, " ".join(finals(line))) <= 0.3
    assert word_error_rate(BECKETT.text, " ".join(heard)) <= 0.3


async def test_a_long_recording_is_transcribed_word_by_word(echo_server: ServerHandle) -> None:
    async with on_the_line(echo_server.ws_url) as line:
        await line.say(TWO_CITIES.pcm(16_000))
        await line.until(lambda line: line.now_ms > 44_500 and line.of("state")[-1]["state"] == "speaking", 90)
        await line.send("interrupt")
        await line.until_message("reply", event="done")

    # A turn that goes on is transcribed as a whole again under a new number: the last text of each is what was said.
    said: list[str] = []
    for text in finals(line):
        if said and text.startswith(said[-1]):
            said.pop()
        said.append(text)
    # The agent breaks in again and again. Until the line is known to return no echo, some of what is said over its
    # words is taken for one: at the ear 0.08 without the canceller and up to 0.13 with it; in real time a little more.
    assert word_error_rate(TWO_CITIES.text, " ".join(said)) <= 0.2


async def test_breaking_into_the_story_cuts_it_and_the_agent_knows_where(demo_server: ServerHandle) -> None:
    async with on_the_line(demo_server.ws_url) as line:
        await line.until_message("reply", event="done")  # the greeting
        await line.send("text", text="tell me a long story")
        await line.until_count(2, "reply", event="started")
        told = len(line.audio)
        await line.until(lambda line: len(line.audio) == told + 200)  # four seconds of it
        began_ms = await line.say(TWO_CITIES.phrase(9, before_ms=0))
        cut = await line.until_message("reply", event="done", interrupted=True)
        after_stop = [at_ms for at_ms, _ in line.audio if began_ms + 700 < at_ms < began_ms + 2_500]
        state = await _session(demo_server, line)

    assert [] == after_stop
    assert [] != line.of("paused")
    assert [] != line.of("clear")
    assert cut["text"].startswith(cut["heard_text"])
    assert 3 < len(cut["heard_text"].split()) < len(cut["text"].split())
    assert cut["heard_text"] in [entry["text"] for entry in state]


async def _session(server: ServerHandle, line: Line) -> list[dict[str, str]]:
    session_id = line.messages[0][1]["session_id"]
    async with httpx2.AsyncClient() as client:
        answer = await client.get(f"{server.base_url}/v1/sessions/{session_id}/transcript")
    entries: list[dict[str, str]] = answer.json()["messages"]
    return entries
