"""The page's server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from xpress.studio.bodies import Refusal
from xpress.studio.job_routes import JOB_ROUTES
from xpress.studio.limits import Limits
from xpress.studio.live_socket import live
from xpress.studio.routes import ROUTES
from xpress.studio.services import Studio

WISH = 64 << 10
"""Bytes of what the page asks for, uploads apart, which are bounded as they come."""
PAGE = Path(__file__).with_name("page")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_app(limits: Limits | None = None, hosts: list[str] | None = None) -> FastAPI:
    """The server.

    Args:
        limits: of uploads.
        hosts: names under which it answers; all by default.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.studio = Studio(limits or Limits())
        try:
            await app.state.studio.start()
            yield
        finally:
            await app.state.studio.stop()

    app = FastAPI(title="xpress studio", lifespan=lifespan, openapi_url=None)
    if hosts is not None:  # a foreign page must not reach the server by a name of its own
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    app.middleware("http")(_guarded)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    for path, function, method in (*ROUTES, *JOB_ROUTES):
        app.add_api_route(path, function, methods=[method], response_model=None)
    app.add_api_websocket_route("/api/{token}/live", live)
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


async def _guarded(request: Request, call_next: Any) -> Response:
    """Refuse what other pages send, and tell the browser what this page needs."""
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        return JSONResponse({"error": "This is asked for by another page."}, 403)
    length = int(request.headers.get("content-length", 0))
    endless = "transfer-encoding" in request.headers
    if not request.url.path.endswith("/files") and (endless or length > WISH):
        return JSONResponse({"error": "This is more than the page ever asks for."}, 413)
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    return JSONResponse({"error": error.message}, error.status)


async def _not_understood(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse({"error": f"{where}: {first['msg']}"}, 422)
