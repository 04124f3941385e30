"""The sessions over HTTP: make, see, steer, end them."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr

import providers
from app.auth import Forbidden, Identity
from app.calls import Call
from app.edge import SHOWN_IN_DOCS, EdgeOf, Manager, Reader
from app.spans import incoming
from app.transports.sse import Events
from app.wire.messages import MAX_TEXT_CHARACTERS
from providers.api import Agent
from providers.errors import Rejected
from session import SayOptions
from session.errors import ErrorCode, SessionError
from session.notices import EndReason

__all__ = ("router",)

router = APIRouter(prefix="/v1/sessions", tags=["sessions"], dependencies=[SHOWN_IN_DOCS])

Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)]


class AgentChoice(BaseModel):
    """A webhook that answers this session instead of the server's agent. Only for holders of an API key."""

    model_config = ConfigDict(extra="forbid")

    url: HttpUrl
    secret: SecretStr | None = None


class NewSession(BaseModel):
    model_config = ConfigDict(extra="forbid")

    metadata: dict[str, Any] = {}
    greeting: Text | None = None
    agent: AgentChoice | None = None


class Say(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: Text
    allow_interruptions: bool = True
    voice: Annotated[str, Field(min_length=1)] | None = None
    speed: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    volume: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0


@router.post("", status_code=201)
async def create(body: NewSession, request: Request, edge: EdgeOf, identity: Manager) -> dict[str, Any]:
    """Make a session, for a client to connect to with its token."""
    agent = await _agent(body.agent, identity)
    edge.admit(identity)
    call = edge.calls.prepare(metadata=body.metadata, greeting=body.greeting, agent=agent)
    call.context = incoming(request.headers)
    url = request.url_for("audio_socket")
    peers = request.app.state.webrtc
    has_webrtc = not isinstance(peers, str)
    return {
        "id": call.session_id,
        "token": call.token,
        "expires_at": _iso(call.created_at_s + edge.settings.limits.connect_within),
        "resume_token": call.resume_token,
        "ws_url": str(url),
        "webrtc_url": str(request.url_for("webrtc_offer")) if has_webrtc else None,
        "ice_servers": peers.ice_servers(call.session_id) if has_webrtc else [],
    }


@router.get("")
async def list_sessions(edge: EdgeOf, _identity: Reader) -> dict[str, Any]:
    return {"sessions": [_describe(call) for call in edge.calls.all()]}


@router.get("/{session_id}")
async def show(session_id: str, edge: EdgeOf, _identity: Reader) -> dict[str, Any]:
    return _describe(edge.calls.find(session_id))


@router.delete("/{session_id}", status_code=204)
async def delete(session_id: str, edge: EdgeOf, _identity: Manager) -> Response:
    """End it; the client is told ``ended`` with the reason ``deleted``."""
    await edge.calls.end(edge.calls.find(session_id), EndReason.DELETED)
    return Response(status_code=204)


@router.post("/{session_id}/say", status_code=202)
async def say(session_id: str, body: Say, edge: EdgeOf, _identity: Manager) -> dict[str, str]:
    """Say it as soon as nobody else speaks."""
    options = SayOptions(body.voice, body.speed, body.volume, body.allow_interruptions)
    handle = await edge.calls.say(edge.calls.find(session_id), body.text, options)
    return {"utterance_id": handle.utterance_id}


@router.post("/{session_id}/interrupt", status_code=204)
async def interrupt(session_id: str, edge: EdgeOf, _identity: Manager) -> Response:
    """Fall silent, as if the user had broken in."""
    await edge.calls.find(session_id).active_session().interrupt()
    return Response(status_code=204)


@router.get("/{session_id}/transcript")
async def transcript(session_id: str, edge: EdgeOf, _identity: Reader) -> dict[str, Any]:
    """What each side said; the assistant's side holds what was heard, not what was generated."""
    call = edge.calls.find(session_id)
    history = () if call.session is None else call.session.history
    return {"session_id": session_id, "messages": [asdict(message) for message in history]}


@router.get("/{session_id}/events", response_class=StreamingResponse)
async def events(session_id: str, edge: EdgeOf, _identity: Reader) -> StreamingResponse:
    """Server-sent events, the same objects as on the socket, from now on."""
    stream = Events(edge.calls.find(session_id)).stream()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _agent(choice: AgentChoice | None, identity: Identity) -> Agent | None:
    """
    :raises Forbidden: a caller without an API key must not make the server call other hosts.
    """
    if choice is None:
        return None
    if not identity.operator:
        raise Forbidden
    options: dict[str, object] = {"url": str(choice.url)}
    if choice.secret is not None:
        options["secret"] = choice.secret.get_secret_value()
    try:
        # In a thread: the registry looks at what is installed.
        return await asyncio.to_thread(lambda: providers.create("agent", "webhook", **options))
    except Rejected as error:
        raise SessionError("create", ErrorCode.INVALID_INPUT, str(error)) from None


def _describe(call: Call) -> dict[str, Any]:
    connected = call.connected_at_s
    return {
        "id": call.session_id,
        "state": call.state,
        "transport": call.transport,
        "created_at": _iso(call.created_at_s),
        "connected_at": None if connected is None else _iso(connected),
        "turns": call.turns,
        "latency": None if call.latency is None else asdict(call.latency),
        "metadata": call.metadata,
    }


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
