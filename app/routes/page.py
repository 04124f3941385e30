"""The browser page and the client library it is built on: the files of ``app/static``, held in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

__all__ = ("StaticFile", "is_current", "load_files", "routes")

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
}

# 'self' holds for the audio worklet among the scripts, and for the WebSocket among the connections.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PAGE_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "microphone=(self), speaker-selection=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    body: bytes
    media_type: str
    etag: str


def load_files() -> dict[str, StaticFile]:
    """By name, from wherever the package is installed. Reads the disk: for the start of the server."""
    found: dict[str, StaticFile] = {}
    for file in files("app").joinpath("static").iterdir():
        suffix = f".{file.name.rpartition('.')[2]}"
        if suffix in _TYPES:
            body = file.read_bytes()
            found[file.name] = StaticFile(body, _TYPES[suffix], f'"{sha256(body).hexdigest()[:20]}"')
    return found


def routes() -> list[Route]:
    """``/`` is the page, and what it loads is below ``/static``."""
    held = load_files()

    async def page(request: Request) -> Response:
        return _answer(request, held["index.html"], _PAGE_HEADERS)

    async def static(request: Request) -> Response:
        file = held.get(request.path_params["name"])
        return Response("there is no such file", 404) if file is None else _answer(request, file, {})

    return [Route("/", page, name="page"), Route("/static/{name}", static, name="static")]


def _answer(request: Request, file: StaticFile, headers: Mapping[str, str]) -> Response:
    """Browsers keep a file and ask each time whether it is still the same: page and library change together."""
    headers = {
        "Cache-Control": "no-cache",
        "ETag": file.etag,
        "X-Content-Type-Options": "nosniff",
        **headers,
    }
    if is_current(request.headers.get("if-none-match", ""), file.etag):
        return Response(status_code=304, headers=headers)
    return Response(file.body, headers={**headers, "Content-Type": file.media_type})


def is_current(if_none_match: str, etag: str) -> bool:
    """Whether one of the tags that the client has is this one. Proxies that compress make a tag a weak one."""
    held = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in held or "*" in held
