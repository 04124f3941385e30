"""The six states of a session and the one table of what may follow what.

- ``initial``: made, not started.
- ``listening``: the floor is the user's, whether they speak or not.
- ``processing``: their turn is over and was given to the agent; nothing of the answer has been heard yet.
- ``speaking``: a reply is being played, or is held because the user may be breaking in.
- ``away``: nobody has spoken for ``user_away_timeout``; the next word brings the session back.
- ``ended``: nothing more happens until ``start()``.

Whether a reply is open is not a state: a reply may be open in ``listening`` (a greeting that is being fetched) and in
``speaking`` (it is heard). The diagram in ``docs/`` is drawn from this table.
"""

from __future__ import annotations

from enum import StrEnum

from session.errors import ErrorCode, SessionError

__all__ = ("TRANSITIONS", "SessionState", "transition")


class SessionState(StrEnum):
    INITIAL = "initial"
    LISTENING = "listening"
    PROCESSING = "processing"
    SPEAKING = "speaking"
    AWAY = "away"
    ENDED = "ended"


TRANSITIONS: dict[SessionState, frozenset[SessionState]] = {
    SessionState.INITIAL: frozenset({SessionState.LISTENING, SessionState.ENDED}),
    SessionState.LISTENING: frozenset(
        {SessionState.PROCESSING, SessionState.SPEAKING, SessionState.AWAY, SessionState.ENDED}
    ),
    SessionState.PROCESSING: frozenset({SessionState.LISTENING, SessionState.SPEAKING, SessionState.ENDED}),
    SessionState.SPEAKING: frozenset({SessionState.LISTENING, SessionState.PROCESSING, SessionState.ENDED}),
    SessionState.AWAY: frozenset({SessionState.LISTENING, SessionState.ENDED}),
    SessionState.ENDED: frozenset({SessionState.LISTENING}),
}
"""``ended`` to ``listening`` is ``start()`` and nothing else."""


def transition(present: SessionState, following: SessionState) -> SessionState:
    """``following``, where the table allows it.

    :raises SessionError: ``invalid_state``.
    """
    if following not in TRANSITIONS[present]:
        raise SessionError(
            "transition",
            ErrorCode.INVALID_STATE,
            f"{present} cannot become {following}",
            details={"state": present, "wanted": following},
        )
    return following
