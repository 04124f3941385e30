"""Which call a connection is for: a new one, one that was made for its client, or one to be taken over."""

from __future__ import annotations

from collections.abc import Mapping

from app import auth
from app.calls import Call
from app.edge import Edge
from session.errors import ErrorCode, SessionError

__all__ = ("call_for", "call_to_resume")


def call_for(
    edge: Edge, identity: auth.Identity, *, session_id: str | None, metadata: Mapping[str, object]
) -> tuple[Call, bool]:
    """The call that was made for this client, or a new one; and whether it is new.

    :raises Refused: there is no room.
    :raises Forbidden: the credential is for another session.
    :raises SessionError: ``session_not_found``; ``session_already_active``: somebody is connected to it.
    """
    session_id = session_id or identity.session_id
    if session_id is None:
        edge.admit(identity)
        return edge.calls.prepare(metadata=metadata), True
    if identity.session_id not in {None, session_id}:
        raise auth.Forbidden
    call = edge.calls.find(session_id)
    if call.session is not None:
        raise SessionError("start", ErrorCode.SESSION_ALREADY_ACTIVE, "somebody is connected to this session")
    call.metadata.update(metadata)
    return call, False


def call_to_resume(edge: Edge, identity: auth.Identity, *, session_id: str | None, token: str) -> Call:
    """The call that the resume token is for. It has a ``jack``.

    :raises SessionError: ``session_not_found``.
    :raises Forbidden: the credential is for another session.
    """
    call = edge.calls.find_by_resume_token(token)
    if session_id not in {None, call.session_id}:
        raise SessionError("resume", ErrorCode.SESSION_NOT_FOUND, "there is nothing to resume")
    if identity.session_id not in {None, call.session_id}:
        raise auth.Forbidden
    return call
