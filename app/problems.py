"""Errors over HTTP: RFC 9457 problem details, with ``code`` from the session's error codes."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.admission import Reason, Refused
from app.auth import Forbidden, Unauthorised
from app.transports.webrtc.offers import NoNetwork, Refusal
from session.errors import ErrorCode, SessionError

__all__ = ("install", "problem")

_STATUS = {
    ErrorCode.INVALID_CONFIG: 422,
    ErrorCode.INVALID_INPUT: 422,
    ErrorCode.INVALID_STATE: 409,
    ErrorCode.SESSION_ALREADY_ACTIVE: 409,
    ErrorCode.SESSION_NOT_ACTIVE: 409,
    ErrorCode.SESSION_NOT_FOUND: 404,
    ErrorCode.SESSION_EXPIRED: 410,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.CAPACITY: 429,
    ErrorCode.TIMEOUT: 504,
    ErrorCode.STT_ERROR: 502,
    ErrorCode.TTS_ERROR: 502,
    ErrorCode.AGENT_ERROR: 502,
    ErrorCode.TRANSPORT_ERROR: 502,
    ErrorCode.INTERNAL_ERROR: 500,
}
"""``capacity`` of one session: its own caller asks too much of it. A full server is a ``Refused``."""


def problem(
    status: int, code: ErrorCode, detail: str, *, headers: Mapping[str, str] | None = None, **more: object
) -> JSONResponse:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, "code": code}
    return JSONResponse(body | more, status, headers=headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` so."""
    app.add_exception_handler(SessionError, _session_error)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Unauthorised, _unauthorised)
    app.add_exception_handler(Forbidden, _forbidden)
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(NoNetwork, _no_network)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


async def _session_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SessionError)  # noqa: S101 - registered for this class
    headers = {"Retry-After": "1"} if error.code is ErrorCode.CAPACITY else None
    return problem(_STATUS[error.code], error.code, error.message, headers=headers)


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)  # noqa: S101 - registered for this class
    status = 429 if error.reason is Reason.RATE else 503
    headers = {"Retry-After": str(error.retry_after_s)}
    return problem(status, ErrorCode.CAPACITY, str(error), headers=headers, reason=error.reason)


async def _refusal(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)  # noqa: S101 - registered for this class
    return problem(error.status, error.code, str(error), headers=error.headers)


async def _no_network(request: Request, error: Exception) -> JSONResponse:
    request.app.state.edge.metrics.refused("network")
    return problem(503, ErrorCode.CAPACITY, str(error), headers={"Retry-After": "5"}, reason="network")


async def _unauthorised(_request: Request, _error: Exception) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"}
    return problem(401, ErrorCode.UNAUTHORIZED, "a valid credential is needed", headers=headers)


async def _forbidden(_request: Request, _error: Exception) -> JSONResponse:
    return problem(403, ErrorCode.UNAUTHORIZED, "not allowed")


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """Names the fields and what they may be; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    mistakes = [
        {"field": ".".join(str(part) for part in mistake["loc"][1:]), "message": mistake["msg"]}
        for mistake in error.errors()
    ]
    return problem(422, ErrorCode.INVALID_INPUT, "the request is not as it should be", errors=mistakes)


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    return problem(error.status_code, ErrorCode.INVALID_INPUT, str(error.detail), headers=error.headers)


async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    """The web server logs it."""
    return problem(500, ErrorCode.INTERNAL_ERROR, "something went wrong in the server")
