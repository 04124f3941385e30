from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI, Request

from app.body_limit import BodyLimit


async def post(content: bytes | AsyncIterator[bytes]) -> httpx2.Response:
    app = FastAPI()
    app.add_middleware(BodyLimit, max_bytes=100)

    @app.post("/")
    async def length(request: Request) -> int:
        return len(await request.body())

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://server") as http:
        return await http.post("/", content=content)


@pytest.mark.parametrize(("length", "status"), [(0, 200), (100, 200), (101, 413)])
async def test_a_body_may_be_so_long_and_no_longer(length: int, status: int) -> None:
    assert status == (await post(b"x" * length)).status_code


async def test_a_body_without_a_length_is_read_no_further_than_the_limit() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 60
            yield b"x" * 60

    assert 413 == (await post(endless())).status_code
    assert 120 == sent
