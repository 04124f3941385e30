"""A real coturn on given addresses, with a shared secret, over TLS too."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from aioice import stun
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from app.transports.ice.servers import IceServer, with_turn_credentials

SECRET = "one that only the two of them know"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM."""

    cert: Path
    key: Path


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def turn_server(
    address: str, port: int, transport: str = "udp", valid_s: int = 3_600, scheme: str = "turn"
) -> IceServer:
    expires_at_s = int(time.time()) + valid_s
    return with_turn_credentials([f"{scheme}:{address}:{port}?transport={transport}"], SECRET, "caller", expires_at_s)


@contextlib.asynccontextmanager
async def coturn(
    addresses: tuple[str, ...], port: int, namespace: str | None = None, certificate: Certificate | None = None
) -> AsyncIterator[None]:
    """Runs while the block does; entered once it answers. With a certificate it speaks TLS on the same port."""
    inside = [] if namespace is None else ["ip", "netns", "exec", namespace]
    with tempfile.TemporaryDirectory() as folder:
        command = [*inside, *_command(addresses, port, folder, certificate)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL, cwd=folder)
        try:
            async with asyncio.timeout(15):
                probe = await asyncio.create_subprocess_exec(*inside, *_probe(addresses[0], port))
                assert 0 == await probe.wait()
            yield
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@contextlib.contextmanager
def coturn_process(port: int, *, encrypted: bool = False) -> Iterator[None]:
    """The same on loopback, for tests without an event loop."""
    with tempfile.TemporaryDirectory() as folder:
        certificate = self_signed(Path(folder), "127.0.0.1") if encrypted else None
        command = _command(("127.0.0.1",), port, folder, certificate)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder)
        try:
            subprocess.run(_probe("127.0.0.1", port), check=True, timeout=15)
            yield
        finally:
            process.kill()
            process.wait()


def _command(addresses: tuple[str, ...], port: int, folder: str, certificate: Certificate | None) -> list[str]:
    encrypted = (
        ["--no-tls"]
        if certificate is None
        else [f"--tls-listening-port={port}", f"--cert={certificate.cert}", f"--pkey={certificate.key}"]
    )
    return [
        *("turnserver", "-n", "--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=test"),
        *(f"--listening-ip={address}" for address in addresses),
        *(f"--relay-ip={address}" for address in addresses),
        *(f"--listening-port={port}", *encrypted, "--no-dtls", "--no-cli", "--allow-loopback-peers"),
        *("--no-rfc5780", "--log-file=stdout", f"--pidfile={folder}/pid", f"--userdb={folder}/db"),
    ]


def _probe(address: str, port: int) -> list[str]:
    return [sys.executable, "-m", "tests.app.transports.ice.coturn", address, str(port)]


def self_signed(folder: Path, host: str) -> Certificate:
    """For a day, of a host by its IP address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = Certificate(folder / "cert.pem", folder / "key.pem")
    files.cert.write_bytes(certificate.public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


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
