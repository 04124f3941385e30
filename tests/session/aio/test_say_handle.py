"""The hold on one utterance."""

from __future__ import annotations

import asyncio

from session.aio.say_handle import SayHandle
from session.notices import Latency, ReplyDone
from tests.session.aio.stage import soon

DONE = ReplyDone("1", "Hello there.", "Hello", interrupted=True, latency=Latency(), utterance_id="a")


def a_handle() -> tuple[SayHandle, list[str]]:
    cancelled: list[str] = []
    return SayHandle("a", cancelled.append), cancelled


async def test_nothing_was_heard_before_it_is_over() -> None:
    handle, _ = a_handle()

    assert (False, "", False) == (handle.done, handle.heard_text, handle.interrupted)


async def test_whoever_waits_is_let_go_when_it_is_over_and_knows_what_was_heard() -> None:
    handle, _ = a_handle()
    waiting = [asyncio.create_task(handle.wait_for_playout()) for _ in range(3)]
    handle.finish(DONE)
    await soon(asyncio.gather(*waiting))
    await soon(handle.wait_for_playout())

    assert (True, "Hello", True) == (handle.done, handle.heard_text, handle.interrupted)


async def test_it_is_cancelled_by_its_name() -> None:
    handle, cancelled = a_handle()
    await handle.cancel()

    assert ["a"] == cancelled


async def test_what_is_over_is_not_cancelled_any_more() -> None:
    handle, cancelled = a_handle()
    handle.finish(DONE)
    await handle.cancel()

    assert [] == cancelled
