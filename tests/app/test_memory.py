from __future__ import annotations

import asyncio
import ctypes

import psutil
import pytest

from app import memory

PIECE = 1_000
"""Bytes: too large for Python's own pools, so that the C library keeps it."""


async def test_what_was_freed_in_pieces_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "EVERY_S", 0.01)
    process = psutil.Process()
    pieces = [bytes(PIECE) for _ in range(60_000)]
    at_most = process.memory_info().rss
    kept = pieces[::100]  # between them there are whole pages
    pieces.clear()

    giving = asyncio.create_task(memory.give_back())
    for _ in range(500):
        await asyncio.sleep(0.01)
        if process.memory_info().rss < at_most - 40_000_000:
            break
    giving.cancel()

    assert at_most - 40_000_000 > process.memory_info().rss
    assert 600 == len(kept)


async def test_without_glibc_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    giving = asyncio.create_task(memory.give_back())
    await asyncio.sleep(0)

    assert giving.done()
