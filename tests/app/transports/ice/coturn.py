"""A real coturn on given addresses, with a shared secret."""

import asyncio
import contextlib
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator

from aioice import stun

from app.transports.ice.servers import IceServer, with_turn_credentials

SECRET = "one that only the two of them know"


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def turn_server(address: str, port: int, transport: str = "udp", valid_s: int = 3_600) -> IceServer:
    expires_at_s = int(time.time()) + valid_s
    return with_turn_credentials([f"turn:{address}:{port}?transport={transport}"], SECRET, "caller", expires_at_s)


@contextlib.asynccontextmanager
async def coturn(addresses: tuple[str, ...], port: int, namespace: str | None = None) -> AsyncIterator[None]:
    """Runs while the block does; entered once it answers."""
    inside = [] if namespace is None else ["ip", "netns", "exec", namespace]
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            *(*inside, "turnserver", "-n", "--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=test"),
            *(f"--listening-ip={address}" for address in addresses),
            *(f"--relay-ip={address}" for address in addresses),
            *(f"--listening-port={port}", "--no-tls", "--no-dtls", "--no-cli", "--allow-loopback-peers"),
            *("--no-rfc5780", "--log-file=stdout", f"--pidfile={folder}/pid", f"--userdb={folder}/db"),
            stdout=asyncio.subprocess.DEVNULL,
            cwd=folder,
        )
        try:
            async with asyncio.timeout(15):
                if namespace is None:
                    await answers(addresses[0], port)
                else:
                    probe = (*inside, sys.executable, "-m", "tests.app.transports.ice.coturn", addresses[0], str(port))
                    assert 0 == await (await asyncio.create_subprocess_exec(*probe)).wait()
            yield
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


class _Asking(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answered = asyncio.Event()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.answered.set()

    def error_received(self, exc: Exception) -> None:
        pass


async def answers(address: str, port: int) -> None:
    """Waits until a STUN server answers there."""
    transport, asking = await asyncio.get_running_loop().create_datagram_endpoint(_Asking, remote_addr=(address, port))
    request = bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))
    try:
        while not asking.answered.is_set():
            transport.sendto(request)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asking.answered.wait(), 0.1)
    finally:
        transport.close()


if __name__ == "__main__":
    asyncio.run(answers(sys.argv[1], int(sys.argv[2])))
