from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx2
import pytest
import typer
from standardwebhooks import Webhook
from typer.testing import CliRunner

from app.example_agent import agent_command, create_agent
from providers.api import AgentAction, AgentOutput, AgentRequest, AgentText, Message

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests").decode()


class Brain:
    """Greets, says the transcript back and hangs up; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[AgentRequest] = []

    async def __call__(self, request: AgentRequest) -> AsyncIterator[AgentOutput]:
        self.asked.append(request)
        if request.type == "session.started":
            yield AgentText("Good ")
            yield AgentText("morning.")
        elif request.type == "turn":
            yield AgentText(f"You said: {request.transcript}")
            yield AgentAction("hangup")


TURN: dict[str, object] = {
    "type": "turn",
    "session_id": "7",
    "turn_id": "2",
    "transcript": "what time is it",
    "preemptive": False,
    "language": "en",
    "history": [{"role": "assistant", "text": "Good morning.", "interrupted": True}],
    "metadata": {"caller": "test"},
}


def client_of(brain: Brain, secret: str | None = None) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=create_agent(brain, secret))
    return httpx2.AsyncClient(transport=transport, base_url="http://agent")


def data_of(text: str) -> list[str]:
    return [line.removeprefix("data: ") for line in text.split("\n\n") if line]


async def test_a_turn_is_answered_word_by_word() -> None:
    answer = await client_of(Brain()).post("/", json=TURN)
    *events, done = data_of(answer.text)
    spoken = [json.loads(event) for event in events]

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [{"delta": word} for word in ("You", " said:", " what", " time", " is", " it")] == spoken[:-1]
    assert {"action": "hangup"} == spoken[-1]
    assert done == "[DONE]"


async def test_the_brain_is_asked_what_the_server_asks() -> None:
    brain = Brain()
    await client_of(brain).post("/", json={**TURN, "something": "newer"})

    assert [
        AgentRequest(
            "turn",
            "7",
            "2",
            "what time is it",
            language="en",
            history=(Message("assistant", "Good morning.", interrupted=True),),
            metadata={"caller": "test"},
        )
    ] == brain.asked


async def test_a_started_session_is_greeted() -> None:
    answer = await client_of(Brain()).post("/", json={"type": "session.started", "session_id": "7"})

    assert {"text": "Good morning."} == answer.json()


@pytest.mark.parametrize("kind", ["session.ended", "turn.interrupted", "turn.committed", "something.newer"])
async def test_a_notification_has_no_answer(kind: str) -> None:
    answer = await client_of(Brain()).post("/", json={"type": kind, "session_id": "7"})

    assert (204, "") == (answer.status_code, answer.text)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"type": "turn"}', b'{"type": "turn", "history": [1]}', b"\xff"])
async def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    answer = await client_of(Brain()).post("/", content=body)

    assert answer.status_code == 400


def signed(body: str, secret: str) -> dict[str, str]:
    now = datetime.now(UTC)
    signature = Webhook(secret).sign("msg_1", now, body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


async def test_a_signed_request_is_answered() -> None:
    body = json.dumps(TURN)
    answer = await client_of(Brain(), SECRET).post("/", content=body, headers=signed(body, SECRET))

    assert answer.status_code == 200


OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret").decode()


@pytest.mark.parametrize(
    "headers",
    [{}, signed(json.dumps(TURN), OTHER_SECRET), {**signed("x", SECRET), "webhook-signature": "v1,ä?"}],
    ids=["none", "of another secret", "no base64"],
)
async def test_a_request_that_is_not_signed_is_refused(headers: dict[str, str]) -> None:
    encoded = {name.encode(): value.encode() for name, value in headers.items()}
    answer = await client_of(Brain(), SECRET).post("/", content=json.dumps(TURN), headers=encoded)

    assert answer.status_code == 401


def test_a_secret_that_is_none_is_refused_at_the_start() -> None:
    cli = typer.Typer()
    cli.command()(agent_command)
    result = CliRunner().invoke(cli, ["--secret", "whsec_é"])

    assert result.exit_code == 2
    assert "no Standard Webhooks secret" in result.output
