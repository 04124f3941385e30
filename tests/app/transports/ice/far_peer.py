"""A caller, or a server, in a process of its own: descriptions go by lines of JSON on standard input and output.

python -m tests.app.transports.ice.far_peer caller|server ADDRESS [TURN-HOST TURN-PORT]
"""

import asyncio
import json
import sys

from app.transports.ice.network import open_network
from app.transports.ice.servers import IceServer
from app.transports.ice.settings import NetworkSettings
from tests.app.transports.ice.coturn import turn_server
from tests.app.transports.ice.peers import Caller, Server, connected


async def _read() -> str:
    line = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    return str(json.loads(line))


def _write(value: object) -> None:
    print(json.dumps(value), flush=True)  # noqa: T201


async def _swap(description: str) -> str:
    _write(description)
    return await _read()


async def main(role: str, address: str, *turn: str) -> None:
    servers: tuple[IceServer, ...] = (turn_server(turn[0], int(turn[1])),) if turn else ()
    network = await open_network(NetworkSettings(addresses=(address,)))
    if role == "caller":
        caller = Caller(network, 600, servers)
        await caller.call(_swap)
        _write({"heard_hz": await caller.heard_hz(10), "path": caller.peer.path})
        await _read()
        await caller.close()
    else:
        server = Server(network, servers, pitches_hz=(900,))
        _write(await server.answer(await _read()))
        await connected(server.peers[0])
        _write({"heard_hz": await server.ears[0].heard_hz(10), "path": server.peers[0].path})
        await _read()
        await server.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
