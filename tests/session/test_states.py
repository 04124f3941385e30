"""The table of ``states.py``, walked from every state to every state."""

from __future__ import annotations

from itertools import product

import pytest

from session.errors import ErrorCode, SessionError
from session.states import TRANSITIONS, SessionState, transition

PUBLISHED = """
                initial  listening  processing  speaking  away  ended
    initial     -        yes        -           -         -     yes
    listening   -        -          yes         yes       yes   yes
    processing  -        yes        -           yes       -     yes
    speaking    -        yes        yes         -         -     yes
    away        -        yes        -           -         -     yes
    ended       -        yes        -           -         -     -
"""

COLUMNS, *ROWS = (line.split() for line in PUBLISHED.strip().splitlines())
ALLOWED = {
    (SessionState(row), SessionState(column)): cell == "yes"
    for row, *cells in ROWS
    for column, cell in zip(COLUMNS, cells, strict=True)
}
LEGAL = [pair for pair, allowed in ALLOWED.items() if allowed]
ILLEGAL = [pair for pair, allowed in ALLOWED.items() if not allowed]


def test_the_published_table_has_every_pair() -> None:
    assert set(product(SessionState, SessionState)) == set(ALLOWED)


@pytest.mark.parametrize(("present", "following"), LEGAL)
def test_a_state_becomes_what_the_table_allows(present: SessionState, following: SessionState) -> None:
    assert following is transition(present, following)


@pytest.mark.parametrize(("present", "following"), ILLEGAL)
def test_everything_else_is_an_invalid_state(present: SessionState, following: SessionState) -> None:
    with pytest.raises(SessionError) as error:
        transition(present, following)

    assert ErrorCode.INVALID_STATE is error.value.code
    assert {"state": present, "wanted": following} == error.value.details
    assert f"session transition: {present} cannot become {following} (code: invalid_state)" == str(error.value)


@pytest.mark.parametrize("state", SessionState)
def test_no_state_is_stuck(state: SessionState) -> None:
    """From each, listening is one step away, or it is listening."""
    assert state is SessionState.LISTENING or SessionState.LISTENING in TRANSITIONS[state]


@pytest.mark.parametrize("state", set(SessionState) - {SessionState.ENDED})
def test_every_state_can_end(state: SessionState) -> None:
    assert SessionState.ENDED in TRANSITIONS[state]


def test_states_are_plain_words() -> None:
    assert ["initial", "listening", "processing", "speaking", "away", "ended"] == [str(state) for state in SessionState]
