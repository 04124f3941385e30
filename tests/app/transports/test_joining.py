"""Which call a connection is for."""

from __future__ import annotations

import pytest

from app.auth import Forbidden, Identity, Scope
from app.transports.joining import call_for, call_to_resume
from session.errors import ErrorCode, SessionError
from tests.caller import calling
from tests.server import running

ANYBODY = Identity("anybody", frozenset(Scope))


def confined(session_id: str) -> Identity:
    return Identity("session", frozenset(Scope), session_id=session_id)


async def test_without_a_session_a_call_is_made_and_said_to_be_new() -> None:
    async with running() as server:
        call, made = call_for(server.edge, ANYBODY, session_id=None, metadata={"who": "me"})

        assert made
        assert {"who": "me"} == call.metadata


async def test_a_session_token_leads_to_its_session() -> None:
    async with running() as server:
        prepared = server.edge.calls.prepare(metadata={})
        call, made = call_for(server.edge, confined(prepared.session_id), session_id=None, metadata={"who": "me"})

        assert (call, made) == (prepared, False)
        assert {"who": "me"} == call.metadata


async def test_a_credential_of_another_session_is_forbidden() -> None:
    async with running() as server:
        prepared = server.edge.calls.prepare(metadata={})
        with pytest.raises(Forbidden):
            call_for(server.edge, confined("another"), session_id=prepared.session_id, metadata={})


async def test_an_unknown_session_is_not_found() -> None:
    async with running() as server:
        with pytest.raises(SessionError) as refused:
            call_for(server.edge, ANYBODY, session_id="nobody", metadata={})

        assert ErrorCode.SESSION_NOT_FOUND == refused.value.code


async def test_a_session_that_somebody_talks_to_is_taken() -> None:
    async with running() as server, calling(server.ws_url) as caller:
        ready = await caller.start()
        with pytest.raises(SessionError) as refused:
            call_for(server.edge, ANYBODY, session_id=ready["session_id"], metadata={})

        assert ErrorCode.SESSION_ALREADY_ACTIVE == refused.value.code


async def test_a_resume_token_leads_to_its_call_and_to_no_other() -> None:
    async with running() as server, calling(server.ws_url) as caller:
        ready = await caller.start()
        token = ready["resume_token"]
        call = call_to_resume(server.edge, ANYBODY, session_id=None, token=token)
        with pytest.raises(SessionError):
            call_to_resume(server.edge, ANYBODY, session_id="another", token=token)
        with pytest.raises(Forbidden):
            call_to_resume(server.edge, confined("another"), session_id=None, token=token)

        assert ready["session_id"] == call.session_id
