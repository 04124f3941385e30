"""``/v1/webrtc``: WHIP (RFC 9725) for those that speak it, the same in JSON for those that talk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError

from app import auth
from app.auth import Identity, Scope
from app.calls import Call
from app.edge import SHOWN_IN_DOCS, Edge, EdgeOf, identify
from app.spans import ids, incoming
from app.transports.joining import call_for, call_to_resume
from app.transports.webrtc.offers import Answer, Refusal, check_offer
from session.errors import ErrorCode
from session.notices import EndReason

if TYPE_CHECKING:
    from app.transports.webrtc.peers import Peers

__all__ = ("make", "router")

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
OFFERS = f"{SDP}, application/json"

router = APIRouter(prefix="/v1/webrtc", tags=["webrtc"], dependencies=[SHOWN_IN_DOCS])


class Offer(BaseModel):
    """``resume``: a session's resume token. Unknown fields are ignored, as on the socket."""

    sdp: Annotated[str, Field(min_length=1)]
    type: Literal["offer"]
    session_id: str | None = None
    metadata: dict[str, Any] = {}
    resume: str | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """An offer in either form."""

    sdp: str
    whip: bool
    session_id: str | None = None
    resume: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


def make(edge: Edge) -> Peers | str:
    """What answers offers, or why nothing does."""
    settings = edge.settings.webrtc
    if not settings.enabled:
        return "webrtc.enabled is false"
    try:
        from app.transports.webrtc.peers import Peers  # noqa: PLC0415 - aiortc is an extra
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed: pip install 'beluga-voice[rtc]'"
    return Peers(edge, settings)


def _peers(request: Request) -> Peers:
    """
    :raises Refusal: 501.
    """
    peers: Peers | str = request.app.state.webrtc
    if isinstance(peers, str):
        raise Refusal(501, f"this server has no WebRTC: {peers}", ErrorCode.TRANSPORT_ERROR)
    return peers


async def _talker(request: Request, edge: EdgeOf) -> Identity:
    """Of the session in the path, where one stands there."""
    try:
        identity = identify(request)
        identity.require(Scope.TALK, request.path_params.get("session_id", identity.session_id))
    except (auth.Unauthorised, auth.Forbidden):
        edge.metrics.refused("unauthorized")
        raise
    return identity


Talker = Annotated[Identity, Depends(_talker)]

_BODY = {
    "requestBody": {
        "required": True,
        "content": {SDP: {"schema": {"type": "string"}}, "application/json": {"schema": Offer.model_json_schema()}},
    }
}


@router.options("", status_code=200)
async def options(request: Request) -> Response:
    """Which offers are taken, and who may make one is told the servers that help to find a way through networks."""
    response = Response(headers={"Accept-Post": OFFERS, "Allow": "OPTIONS, POST"})
    peers: Peers | str = request.app.state.webrtc
    if not isinstance(peers, str):
        try:
            identity = identify(request)
            identity.require(Scope.TALK, identity.session_id)
        except (auth.Unauthorised, auth.Forbidden):
            return response
        _add_links(response, peers.links(identity.session_id or str(uuid4())))
    return response


@router.options("/{session_id}", status_code=200)
async def session_options(session_id: str) -> Response:  # noqa: ARG001 - the same for every session
    """What can be done with a session that was offered here."""
    return Response(headers={"Accept-Patch": FRAGMENT, "Allow": "DELETE, OPTIONS, PATCH"})


@router.post("", status_code=201, openapi_extra=_BODY, name="webrtc_offer")
async def offer(request: Request, edge: EdgeOf, identity: Talker) -> Response:
    """Answer an offer. The answer to a later offer of the same peer for the same session is 200."""
    peers = _peers(request)
    asked = await _read(request)
    check_offer(asked.sdp)
    session_id = asked.session_id or identity.session_id
    if asked.resume is not None:
        call = call_to_resume(edge, identity, session_id=asked.session_id, token=asked.resume)
        answer = await peers.answer(call, asked.sdp, resume=asked.resume)
    elif (
        session_id is not None
        and identity.session_id in {None, session_id}
        and _is_held(edge, peers, session_id, asked)
    ):
        call = edge.calls.find(session_id)
        return _answered(call, asked, await peers.answer_again(session_id, asked.sdp), 200)
    else:
        call, made = call_for(edge, identity, session_id=asked.session_id, metadata=asked.metadata)
        if ids(context := incoming(request.headers)):
            call.context = context
        try:
            answer = await peers.answer(call, asked.sdp, owns_call=made)
        except BaseException:  # whatever it was, the call that was made for it is not left behind
            if made:
                await edge.calls.end(call, EndReason.ERROR)
            raise
    return _answered(call, asked, answer, 201)


@router.patch("/{session_id}", status_code=204)
async def trickle(session_id: str, request: Request, edge: EdgeOf, _identity: Talker) -> Response:
    """Candidates that came after the offer, or a restart of ICE."""
    peers = _peers(request)
    edge.calls.find(session_id)
    if _content_type(request) != FRAGMENT:
        raise Refusal(415, f"a body is {FRAGMENT}", headers={"Accept-Patch": FRAGMENT})
    restarted = await peers.trickle(session_id, await request.body(), request.headers.get("if-match"))
    if restarted is None:
        return Response(status_code=204)
    return Response(restarted.fragment, 200, headers={"Content-Type": FRAGMENT, "ETag": restarted.etag})


@router.delete("/{session_id}")
async def hang_up(session_id: str, request: Request, edge: EdgeOf, _identity: Talker) -> Response:
    """End the session; the client is told `ended` with the reason `client`."""
    peers = _peers(request)
    await edge.calls.end(edge.calls.find(session_id), EndReason.CLIENT)
    await peers.leave(session_id)
    return Response(status_code=200)


async def _read(request: Request) -> _Asked:
    """
    :raises Refusal: 415, 400.
    :raises RequestValidationError: the JSON is not as it should be.
    """
    body = await request.body()
    match _content_type(request):
        case "application/sdp":
            query = request.query_params
            return _Asked(_text(body), whip=True, session_id=query.get("session_id"), resume=query.get("resume"))
        case "application/json":
            try:
                given = Offer.model_validate_json(body)
            except ValidationError as error:
                # As FastAPI does, with where it was found.
                raise RequestValidationError(
                    [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
                ) from None
            return _Asked(
                given.sdp, whip=False, session_id=given.session_id, resume=given.resume, metadata=given.metadata
            )
        case _:
            raise Refusal(415, f"an offer is {SDP} or application/json", headers={"Accept-Post": OFFERS})


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Refusal(400, "the offer is not text in UTF-8") from None


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_held(edge: Edge, peers: Peers, session_id: str, asked: _Asked) -> bool:
    """Whether the session is connected to the peer that asks."""
    return any(call.session_id == session_id and peers.holds(call, asked.sdp) for call in edge.calls.all())


def _answered(call: Call, asked: _Asked, answer: Answer, status: int) -> Response:
    location = f"/v1/webrtc/{call.session_id}"
    if asked.whip:
        response = Response(answer.sdp, status, headers={"Content-Type": SDP})
    else:
        body = {"sdp": answer.sdp, "type": "answer", "session_id": call.session_id}
        # A session that is taken over gets the next token with `ready`, once it is.
        token = {} if asked.resume is not None else {"resume_token": call.resume_token}
        response = JSONResponse(body | token, status)
    response.headers["Location"], response.headers["ETag"] = location, answer.etag
    _add_links(response, answer.links)
    return response


def _add_links(response: Response, links: tuple[str, ...]) -> None:
    for link in links:
        response.headers.append("Link", link)
