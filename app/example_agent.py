"""``beluga-voice agent``: an agent webhook to start from, a web server of its own that speaks the agent protocol.

What it answers comes from the rules of the ``demo`` agent; put your own function in the place of ``brain``.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import typer
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from standardwebhooks import Webhook, WebhookVerificationError

from providers.agent.demo import Demo
from providers.api import AgentAction, AgentOutput, AgentRequest, Message

__all__ = ("agent_command", "create_agent")

Brain = Callable[[AgentRequest], AsyncIterator[AgentOutput]]


def create_agent(brain: Brain, secret: str | None = None) -> FastAPI:
    """``POST /`` answers the server's requests; with a ``secret`` only those that are signed with it."""
    app = FastAPI(title="An agent for Beluga Voice")
    webhook = Webhook(secret) if secret else None

    @app.post("/")
    async def answer(request: Request) -> Response:
        body = await request.body()
        if webhook and not _is_signed(webhook, body, dict(request.headers)):
            return Response(status_code=401)
        try:
            asked = _read(json.loads(body))
        except (ValueError, TypeError, KeyError, AttributeError):
            return Response(status_code=400)
        match asked.type:
            case "turn" | "dtmf":
                return StreamingResponse(_events(brain(asked)), media_type="text/event-stream")
            case "session.started":
                greeting = [_event(output) async for output in brain(asked)]
                text = "".join(event["delta"] for event in greeting if "delta" in event)
                return JSONResponse({"text": text}) if text else Response(status_code=204)
            case "user.away" if asked.times_away == 1:
                return JSONResponse({"text": "Are you still there?"})
            case _:  # session.ended, turn.interrupted, turn.committed, user.back: nothing is said in answer
                return Response(status_code=204)

    return app


def _is_signed(webhook: Webhook, body: bytes, headers: dict[str, str]) -> bool:
    try:
        webhook.verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):  # ValueError: a signature that is no base64
        return False
    return True


def _read(asked: dict[str, Any]) -> AgentRequest:
    """What is not known is left out: a newer server may send more."""
    known = {name: asked[name] for name in AgentRequest.__dataclass_fields__ if name in asked}
    history = [Message(each["role"], each["text"], each.get("interrupted", False)) for each in asked.get("history", ())]
    return AgentRequest(**{**known, "history": tuple(history)})


async def _events(outputs: AsyncIterator[AgentOutput]) -> AsyncIterator[str]:
    """Server-sent events, a word each: the server speaks the first clause while the rest is still to come."""
    async for output in outputs:
        event = _event(output)
        for word in re.findall(r"\s*\S+|\s+$", event["delta"]) if "delta" in event else ():
            yield f"data: {json.dumps({'delta': word})}\n\n"
        if "action" in event:
            yield f"data: {json.dumps(event)}\n\n"
    yield "data: [DONE]\n\n"


def _event(output: AgentOutput) -> dict[str, str]:
    if isinstance(output, AgentAction):
        named = {"action": output.action, "to": output.to, "digits": output.digits}
        return {name: value for name, value in named.items() if value is not None}
    return {"delta": output.delta}


def agent_command(
    *,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="On which port.")] = 8090,
    secret: Annotated[
        str | None, typer.Option(envvar="BELUGA_AGENT__SECRET", help="The webhook secret, whsec_…, of the server.")
    ] = None,
) -> None:
    """Run the example agent webhook."""
    try:
        app = create_agent(Demo().ask, secret)
    except (ValueError, TypeError):
        typer.echo("--secret is no Standard Webhooks secret: whsec_ and then base64", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"Point the server here: BELUGA_AGENT__PROVIDER=webhook BELUGA_AGENT__URL=http://{host}:{port}/")
    uvicorn.run(app, host=host, port=port, log_level="warning")
