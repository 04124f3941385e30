"""Every notice is a fact: frozen, slotted, a member of the sum, and exported."""

from __future__ import annotations

from typing import get_args

import pytest

from session import notices
from session.notices import EndReason, Latency, Notice, TurnDone, TurnOutcome
from tests.session.values import is_frozen_and_slotted, names_defined_in, values_of


@pytest.mark.parametrize("notice", values_of(notices))
def test_every_notice_is_frozen_and_slotted(notice: type) -> None:
    assert is_frozen_and_slotted(notice)


def test_the_sum_has_every_notice() -> None:
    assert set(values_of(notices)) - {Latency} == set(get_args(Notice))


def test_every_notice_is_exported() -> None:
    assert names_defined_in(notices) == set(notices.__all__)


def test_a_stage_that_took_no_part_has_no_latency() -> None:
    assert Latency(None, None, None, None, None) == TurnDone("1", TurnOutcome.EMPTY).latency


def test_reasons_and_outcomes_are_the_words_of_the_wire() -> None:
    assert ["client", "agent", "timeout", "error", "server_shutdown", "deleted"] == [
        reason.value for reason in EndReason
    ]
    assert ["answered", "interrupted", "empty", "failed"] == [outcome.value for outcome in TurnOutcome]
