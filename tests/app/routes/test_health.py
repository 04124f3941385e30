from __future__ import annotations

import httpx2
import pytest

from tests.caller import calling
from tests.server import running


async def test_a_server_is_alive_and_ready_with_room() -> None:
    async with running() as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        assert 200 == (await http.get("/healthz")).status_code
        assert 200 == (await http.get("/readyz")).status_code


@pytest.mark.parametrize("reason", ["warming", "full", "draining"])
async def test_a_server_that_is_not_ready_says_why_and_lives(reason: str) -> None:
    async with (
        running(limits={"max_sessions": 1}) as server,
        httpx2.AsyncClient(base_url=server.base_url) as http,
        calling(server.ws_url) as caller,
    ):
        if reason == "full":
            await caller.start()
        server.edge.admission.warm = reason != "warming"
        server.edge.admission.draining = reason == "draining"
        ready = await http.get("/readyz")
        made = await http.post("/v1/sessions", json={})

        assert (503, reason) == (ready.status_code, ready.json()["reason"])
        assert (503, reason, "capacity") == (made.status_code, made.json()["reason"], made.json()["code"])
        assert int(made.headers["Retry-After"]) > 0
        assert 200 == (await http.get("/healthz")).status_code


async def test_metrics_are_prometheus_text_or_openmetrics_when_asked() -> None:
    async with running() as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        text = await http.get("/metrics")
        openmetrics = await http.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

        assert text.headers["Content-Type"].startswith("text/plain")
        assert openmetrics.headers["Content-Type"].startswith("application/openmetrics-text")
        assert openmetrics.text.endswith("# EOF\n")
        assert 'session_active{transport="websocket"} 0.0' in text.text
