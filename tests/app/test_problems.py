from __future__ import annotations

import json

import httpx2
import pytest
from fastapi import FastAPI

from app.admission import Reason, Refused
from app.auth import Forbidden, Unauthorised
from app.problems import install, problem
from session.errors import ErrorCode, SessionError


async def answer_to(error: Exception) -> httpx2.Response:
    app = FastAPI()
    install(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://server") as http:
        return await http.get("/")


@pytest.mark.parametrize("code", list(ErrorCode))
async def test_every_code_of_a_session_has_a_status(code: ErrorCode) -> None:
    response = await answer_to(SessionError("test", code, "what was wrong"))

    assert 400 <= response.status_code < 600
    assert "application/problem+json" == response.headers["Content-Type"]
    assert (code, "what was wrong") == (response.json()["code"], response.json()["detail"])


@pytest.mark.parametrize(
    ("error", "status", "code", "header"),
    [
        (Refused(Reason.FULL, 5), 503, "capacity", ("Retry-After", "5")),
        (Refused(Reason.RATE, 9), 429, "capacity", ("Retry-After", "9")),
        (Unauthorised(), 401, "unauthorized", ("WWW-Authenticate", "Bearer")),
        (Forbidden(), 403, "unauthorized", ("Content-Type", "application/problem+json")),
        (RuntimeError("a detail of ours"), 500, "internal_error", ("Content-Type", "application/problem+json")),
    ],
)
async def test_every_refusal_is_a_problem(error: Exception, status: int, code: str, header: tuple[str, str]) -> None:
    response = await answer_to(error)

    assert (status, code) == (response.status_code, response.json()["code"])
    assert header[1] == response.headers[header[0]]
    assert "ours" not in response.text


def test_a_problem_has_the_members_of_the_standard() -> None:
    response = problem(409, ErrorCode.INVALID_STATE, "cannot", more=1)

    assert {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "cannot",
        "code": "invalid_state",
        "more": 1,
    } == json.loads(bytes(response.body))
