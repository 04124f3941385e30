"""Recordings of calls, as ``session.trace`` writes them: one file a call in one folder, off unless asked for.

They hold what was said, and nothing here deletes them. Files are written by threads; only their owner may read them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import structlog

from app.calls import Call, Listener
from app.settings import WrongSettings
from session.notices import Ended, Notice

__all__ = ("BATCH_BYTES", "MAX_WAITING_BYTES", "Traces")

BATCH_BYTES = 64 * 1024
"""What is gathered before it is written."""

MAX_WAITING_BYTES = 4 * 2**20
"""Of one call. Where a disk is slower than that, its recording stops, and not the call."""

logger = structlog.get_logger("beluga.traces")


class Traces:
    """Without a ``folder`` nothing is recorded.

    :raises WrongSettings: when the folder cannot be written to.
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = None if folder is None else Path(folder)
        self._files: dict[str, _File] = {}
        self._closing: set[asyncio.Task[None]] = set()
        if self._folder is not None:
            _check(self._folder)

    def open(self, call: Call) -> Callable[[str], None] | None:
        """What takes the lines of this call."""
        if self._folder is None:
            return None
        file = self._files[call.session_id] = _File(self._folder / f"{call.session_id}.jsonl")
        return file.write

    def watch(self, call: Call) -> Listener:
        def note(notice: Notice) -> None:
            if isinstance(notice, Ended) and (file := self._files.pop(call.session_id, None)) is not None:
                task = asyncio.create_task(file.aclose())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

        return note

    async def aclose(self) -> None:
        """Return when everything is written."""
        await asyncio.gather(*self._closing, *(file.aclose() for file in self._files.values()))
        self._files.clear()


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._over = False

    def write(self, line: str) -> None:
        if self._over:
            return
        self._lines.append(line)
        self._waiting_bytes += len(line) + 1  # the lines are ASCII
        if self._waiting_bytes > MAX_WAITING_BYTES:
            self._give_up("the disk is too slow")
        elif self._waiting_bytes >= BATCH_BYTES and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write())

    async def aclose(self) -> None:
        self._over = True
        if self._writing is not None:
            await self._writing
        await self._write()

    async def _write(self) -> None:
        lines, self._lines, self._waiting_bytes = self._lines, [], 0
        try:
            await asyncio.to_thread(_append, self._path, lines)
        except OSError as error:
            self._give_up(str(error))

    def _give_up(self, reason: str) -> None:
        self._over = True
        self._lines.clear()
        logger.warning("a call is recorded no further", session_id=self._path.stem, reason=reason)


def _append(path: Path, lines: list[str]) -> None:
    if lines:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in lines)


def _check(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        raise WrongSettings([f"log.traces: {str(folder)!r} given, cannot be made: {error.strerror}"]) from None
    if not writable:
        raise WrongSettings([f"log.traces: {str(folder)!r} given, a folder that can be written to allowed"])
