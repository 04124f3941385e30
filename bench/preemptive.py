"""What asking the agent early saves, and what it costs: a slow webhook, with preemptive generation off and on.

First in the simulator, where nothing else takes time: one turn, for each verdict of the turn detector. Then live: the
callers of ``response.py`` speak to a server whose agent is a webhook that takes a while to its first word, as a
language model does. Saved is response time, from the last voiced sample to the first audio, as the caller hears it;
paid is one more request for each turn that went on after its draft was asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bench.lib import percentile, print_table, running_server, write_json
from bench.recordings import BECKETT, TWO_CITIES, Caller, caller
from bench.response import Measured, call
from session.config import Preemptive, SessionConfig
from session.notices import TurnDone
from tests.sim.caller import Caller as SimulatedCaller
from tests.sim.caller import Utterance
from tests.sim.weather import Weather
from tests.sim.world import World

DELAYS_MS = (200, 600)
VERDICTS = (0.95, 0.7, 0.5, 0.3)
WAYS = ("off", "discard", "use_if_similar", "always_use")


@contextmanager
def slow_agent(delay_ms: int) -> Iterator[tuple[str, list[str]]]:
    """A webhook that repeats the transcript after ``delay_ms``, and the types of the requests that it has got."""
    asked: list[str] = []

    async def answer(request: Request) -> Response:
        body = await request.json()
        asked.append(body["type"])
        if body["type"] != "turn":
            return Response(status_code=204)
        await asyncio.sleep(delay_ms / 1000)
        return PlainTextResponse(body["transcript"])

    app = Starlette(routes=[Route("/", answer, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", asked
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def measure(way: str, delay_ms: int, callers: Sequence[Caller]) -> dict[str, object]:
    async def all_calls(url: str) -> list[Measured]:
        return [measured for who in callers for measured in await call(url, who)]

    preemptive = {} if way == "off" else {"enabled": "true", "strategy": way}
    settings = {f"session__preemptive__{name}": value for name, value in preemptive.items()}
    with (
        slow_agent(delay_ms) as (url, asked),
        running_server(agent__provider="webhook", agent__url=url, **settings) as server,
    ):
        measured = asyncio.run(all_calls(server.ws_url))
        drafts = {outcome: _counted(server.get("/metrics"), outcome) for outcome in ("used", "discarded")}
    answered = [each.response_ms for each in measured if not math.isnan(each.response_ms)]
    return {
        "agent_ms": delay_ms,
        "preemptive": way,
        "n": len(answered),
        "p50": percentile(answered, 50),
        "p95": percentile(answered, 95),
        "requests": asked.count("turn"),
        **drafts,
    }


def _counted(metrics: str, outcome: str) -> int:
    name = f'preemptive_total{{outcome="{outcome}"}}'
    return sum(int(float(line.split()[-1])) for line in metrics.splitlines() if line.startswith(name))


def simulated(verdict: float, agent_ms: int, *, enabled: bool) -> int | None:
    """The response time of one turn in the simulator: 30 ms for the final transcript, 90 to the voice's first audio."""
    weather = Weather(verdicts=(verdict,), agent_first_ms=(agent_ms,))
    config = SessionConfig(preemptive=Preemptive(enabled=enabled), user_away_timeout=None)
    world = World(SimulatedCaller(Utterance(1_000, "what time is it")), weather, config).start().run_until(20_000)
    return world.notices(TurnDone)[0].latency.response_ms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--ways", nargs="*", default=WAYS, choices=WAYS)
    parser.add_argument("--delays-ms", nargs="*", type=int, default=DELAYS_MS, metavar="MS")
    arguments = parser.parse_args()
    table = [
        [verdict, agent_ms, *(simulated(verdict, agent_ms, enabled=enabled) for enabled in (False, True))]
        for verdict in VERDICTS
        for agent_ms in (*DELAYS_MS, 1_200)
    ]
    print_table(["verdict", "agent ms", "off", "use_if_similar"], table)
    print()
    callers = [caller(sentences) for sentences in (BECKETT, TWO_CITIES)]
    rows = [measure(way, delay_ms, callers) for delay_ms in arguments.delays_ms for way in arguments.ways]
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    write_json(arguments.json, {"preemptive": rows})


if __name__ == "__main__":
    main()
