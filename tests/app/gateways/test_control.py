from __future__ import annotations

from app.gateways.control import GatewayError


def test_an_error_names_the_gateway_and_what_was_asked() -> None:
    error = GatewayError("twilio", "hang_up", "HTTP 401: Authenticate", status=401)

    assert "twilio: hang_up: HTTP 401: Authenticate" == str(error)
    assert ("twilio", "hang_up", "HTTP 401: Authenticate", 401) == (
        error.gateway,
        error.operation,
        error.reason,
        error.status,
    )
    assert GatewayError("twilio", "call", "no connection").status is None
