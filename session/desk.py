"""What the parts of the engine share: the time, the open jobs, the deadlines, and the commands to be given."""

from __future__ import annotations

from typing import Literal

from session.commands import Cancel, Command, Tell
from session.deadlines import Deadlines
from session.events import Stage
from session.notices import Notice

__all__ = ("DeadlineName", "Desk")

DeadlineName = Literal[
    "audio_gap",
    "final",
    "retry_stt",
    "agent",
    "retry_agent",
    "tts",
    "retry_tts",
    "playout",
    "hold",
    "away",
    "inactivity",
    "max_duration",
    "keep_alive",
    "watchdog",
]


class Desk:
    def __init__(self) -> None:
        self.now_ms = 0
        self.deadlines: Deadlines[DeadlineName] = Deadlines()
        self._commands: list[Command] = []
        self._jobs: dict[int, Stage] = {}
        self._last_job = 0
        self._last_turn = 0

    def next_turn_id(self) -> str:
        self._last_turn += 1
        return str(self._last_turn)

    def give(self, command: Command) -> None:
        self._commands.append(command)

    def tell(self, notice: Notice) -> None:
        self._commands.append(Tell(notice))

    def drain(self) -> list[Command]:
        commands, self._commands = self._commands, []
        return commands

    def open(self, stage: Stage) -> int:
        self._last_job += 1
        self._jobs[self._last_job] = stage
        return self._last_job

    def stage(self, job: int) -> Stage | None:
        """The stage that an open job belongs to; None for a job that is closed or never was."""
        return self._jobs.get(job)

    def close(self, job: int | None) -> None:
        """The job has done what it was opened for."""
        if job is not None:
            self._jobs.pop(job, None)

    def cancel(self, job: int | None) -> None:
        """Nothing of the job is wanted any more. A job that is closed already is left alone."""
        if job is not None and self._jobs.pop(job, None) is not None:
            self.give(Cancel(job))

    def cancel_all(self) -> None:
        for job in list(self._jobs):
            self.cancel(job)
