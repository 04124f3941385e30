"""Calls that were recorded on a server with real models: the engine of today decides as the one of then did.

A change of the engine that is meant to decide otherwise records them anew: see ``tests/traces/record.py``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from session.commands import Tell
from session.notices import InterruptionJudged, Notice, TranscriptChanged
from session.trace import Replayed, replay

RECORDED = sorted(Path(__file__).parent.glob("*.jsonl"))


def replayed(file: Path) -> list[Replayed]:
    return replay(file.read_text("utf-8").splitlines())


def notices(name: str) -> list[Notice]:
    steps = replayed(Path(__file__).parent / f"{name}.jsonl")
    return [command.notice for step in steps for command in step.commands if isinstance(command, Tell)]


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_a_recorded_call_takes_the_same_course_today(file: Path) -> None:
    others = [step for step in replayed(file) if not step.same]

    assert [] == others[:1]


def test_the_story_was_broken_into() -> None:
    judged = [notice for notice in notices("a_story_that_is_broken_into") if isinstance(notice, InterruptionJudged)]

    assert [True] == [notice.committed for notice in judged]


def test_the_assent_broke_into_nothing() -> None:
    told = notices("an_assent_that_breaks_into_nothing")
    judged = [notice for notice in told if isinstance(notice, InterruptionJudged)]

    assert [False] == [notice.committed for notice in judged]


def test_what_was_said_was_understood() -> None:
    told = notices("a_question_and_goodbye")
    said = [notice.text for notice in told if isinstance(notice, TranscriptChanged) and notice.final]

    assert 2 == len(said)
    assert "three" in said[0].lower() or "3" in said[0]
