"""The private names of aiortc and aioice that this package leans on, checked when it is imported.

Both are pinned: aiortc 1.16.0 and aioice 0.13.0 are what the tests ran with.
"""

from importlib.metadata import version

from aioice import Connection
from aiortc import RTCPeerConnection
from aiortc.rtcicetransport import RTCIceGatherer, RTCIceTransport

__all__ = ("CREATE_DTLS_TRANSPORT", "UnsupportedLibrary", "require_known_names")

# The one method by which aiortc makes each ICE and DTLS transport.
CREATE_DTLS_TRANSPORT = "_RTCPeerConnection__createDtlsTransport"


class UnsupportedLibrary(ImportError):
    """aiortc or aioice no longer has what this package needs of it."""


def require_known_names() -> None:
    """Raises `UnsupportedLibrary` naming the library, its version and the name it lacks."""
    gatherer = RTCIceGatherer(iceServers=[])
    wanted: tuple[tuple[str, object, str], ...] = (
        ("aiortc", RTCPeerConnection, CREATE_DTLS_TRANSPORT),
        ("aiortc", gatherer, "_connection"),
        *(("aiortc", RTCIceTransport(gatherer), name) for name in ("_connection", "_recv", "_send")),
        ("aioice", Connection(ice_controlling=False), "_protocols"),
    )
    for library, owner, name in wanted:
        if not hasattr(owner, name):
            kind = owner.__name__ if isinstance(owner, type) else type(owner).__name__
            raise UnsupportedLibrary(f"{library} {version(library)}: {kind} has no {name}; see ice/compatibility.py")
