"""A user's callbacks."""

from __future__ import annotations

import asyncio
import logging

import pytest

from session.aio.callbacks import StateCallbacks
from session.states import SessionState
from tests.session.aio.stage import LIMIT_S

THREE = [SessionState.LISTENING, SessionState.PROCESSING, SessionState.SPEAKING]


async def test_each_sync_callback_is_called_once_a_change_in_order() -> None:
    first: list[SessionState] = []
    second: list[SessionState] = []
    callbacks = StateCallbacks()
    callbacks.add(first.append)
    callbacks.add(second.append)
    for state in THREE:
        callbacks.call(state)

    assert (THREE, THREE) == (first, second)


async def test_async_callbacks_are_awaited_one_after_another() -> None:
    log: list[str] = []

    async def callback(state: SessionState) -> None:
        log.append(f"{state} begins")
        await asyncio.sleep(0)
        log.append(f"{state} ends")

    callbacks = StateCallbacks()
    callbacks.add(callback)
    for state in THREE:
        callbacks.call(state)
    await callbacks.settle(LIMIT_S)

    assert [f"{state} {what}" for state in THREE for what in ("begins", "ends")] == log


async def test_a_change_after_all_were_awaited_is_called_too() -> None:
    seen: list[SessionState] = []

    async def callback(state: SessionState) -> None:
        seen.append(state)

    callbacks = StateCallbacks()
    callbacks.add(callback)
    for state in THREE:
        callbacks.call(state)
        await callbacks.settle(LIMIT_S)

    assert THREE == seen


async def test_what_a_callback_raises_is_logged_counted_and_keeps_nobody_from_being_called(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[SessionState] = []

    def broken(state: SessionState) -> None:
        raise ValueError("sync")

    async def broken_too(state: SessionState) -> None:
        raise ValueError("async")

    callbacks = StateCallbacks()
    for callback in (broken, broken_too, seen.append):
        callbacks.add(callback)
    with caplog.at_level(logging.ERROR):
        for state in THREE:
            callbacks.call(state)
        await callbacks.settle(LIMIT_S)

    assert THREE == seen
    assert 6 == callbacks.failures == len(caplog.records)


async def test_settling_waits_a_while_and_no_longer() -> None:
    release = asyncio.Event()
    finished: list[SessionState] = []

    async def slow(state: SessionState) -> None:
        await release.wait()
        finished.append(state)

    callbacks = StateCallbacks()
    callbacks.add(slow)
    callbacks.call(SessionState.LISTENING)
    await callbacks.settle(0.01)

    assert [] == finished

    release.set()
    await callbacks.settle(LIMIT_S)

    assert [SessionState.LISTENING] == finished


async def test_settling_from_within_a_callback_does_not_wait_for_itself() -> None:
    settled: list[SessionState] = []

    async def callback(state: SessionState) -> None:
        await callbacks.settle(LIMIT_S * 10)
        settled.append(state)

    callbacks = StateCallbacks()
    callbacks.add(callback)
    callbacks.call(SessionState.LISTENING)
    await callbacks.settle(LIMIT_S)

    assert [SessionState.LISTENING] == settled


async def test_without_async_callbacks_there_is_nothing_to_settle() -> None:
    before = asyncio.all_tasks()
    callbacks = StateCallbacks()
    callbacks.add(lambda _: None)
    callbacks.call(SessionState.LISTENING)
    await callbacks.settle(LIMIT_S)

    assert before == asyncio.all_tasks()
