"""What holds for every provider of every kind. A suite asks for ``nothing_is_left`` by its name.

To put another provider through its suite, add a factory to the table on top of it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest


@pytest.fixture
async def nothing_is_left() -> AsyncIterator[None]:
    """No thread and no task may be there after the provider was closed that was not there before it was made."""
    threads, tasks = set(threading.enumerate()), asyncio.all_tasks()
    yield
    await asyncio.sleep(0)  # a task that was cancelled ends in the next turn of the loop

    assert set() == set(threading.enumerate()) - threads
    assert set() == {task for task in asyncio.all_tasks() - tasks if task is not asyncio.current_task()}
