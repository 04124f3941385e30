"""For those who run the server: is it alive, is it ready, what does it measure?"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from app.edge import EdgeOf
from app.problems import problem
from session.errors import ErrorCode

__all__ = ("router",)

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> JSONResponse:
    """The process lives."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", responses={503: {"description": "warming, full or draining"}})
async def readyz(edge: EdgeOf) -> JSONResponse:
    """The models are warm and there is room."""
    obstacle = edge.admission.obstacle()
    if obstacle is None:
        return JSONResponse({"status": "ready"})
    return problem(503, ErrorCode.CAPACITY, f"not ready: {obstacle}", headers={"Retry-After": "2"}, reason=obstacle)


@router.get("/metrics", response_class=Response)
async def metrics(request: Request, edge: EdgeOf) -> Response:
    """Prometheus text, or OpenMetrics when asked for."""
    body, content_type = edge.metrics.render(request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": content_type})
