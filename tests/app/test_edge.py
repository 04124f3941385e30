from __future__ import annotations

import asyncio

from starlette.requests import HTTPConnection

from app.edge import identify
from app.main import create_app
from app.settings import load
from session.notices import EndReason
from tests.caller import calling
from tests.server import QUICK, running

APP = create_app(load(environment=QUICK))


def test_a_caller_without_a_credential_is_known_by_their_address() -> None:
    scope = {
        "type": "http",
        "app": APP,
        "headers": [(b"host", b"localhost")],
        "query_string": b"",
        "path_params": {},
        "client": ("127.0.0.9", 1234),
    }

    assert "address:127.0.0.9" == identify(HTTPConnection(scope)).subject


async def test_draining_lets_the_calls_go_on_for_the_grace() -> None:
    async with running(server={"shutdown_grace": 30}) as server, calling(server.ws_url) as caller:
        await caller.start()
        draining = asyncio.create_task(server.edge.drain())
        answered = await caller.converse("still talking")
        waiting = not draining.done()
        await caller.send("stop")
        await caller.until_closed()
        await draining

        assert "still talking" == answered["text"]
        assert waiting


async def test_a_refusal_is_counted() -> None:
    async with running(limits={"max_sessions": 1}) as server:
        async with calling(server.ws_url) as first, calling(server.ws_url) as second:
            await first.start()
            await second.send("start", audio={"encoding": "mulaw", "sample_rate": 8000})
            await second.until_closed()

        assert 'sessions_refused_total{reason="full"} 1.0' in server.edge.metrics.render("")[0].decode()


async def test_closing_ends_what_is_left() -> None:
    async with running() as server, calling(server.ws_url) as caller:
        await caller.start()
        await server.edge.calls.end_all(EndReason.SERVER_SHUTDOWN)
        await server.edge.aclose()

        assert 0 == len(server.edge.calls)
        assert 1001 == await caller.until_closed()
