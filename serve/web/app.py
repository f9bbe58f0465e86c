"""The server: the page, the WebSocket behind it, and the same as plain requests."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import FastAPI, HTTPException, Query, Request, WebSocket
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles

from model.labels import LABELS
from serve.detector import Box
from serve.frames import decode_picture
from serve.tracking import Tracker
from serve.web.answers import KeptAnswer, PictureAnswer, Problem, VersionsAnswer, told
from serve.web.corrections import Corrections
from serve.web.eyes import Eyes
from serve.web.guard import COOKIE, Guard
from serve.web.limits import BODY, CLIENTS, LARGEST, PIXELS
from serve.web.live import Live
from tasks.common.errors import UserError
from tasks.registry.champion import UnknownVersionError

PAGE: Final = Path(__file__).parent / "static"

Next = Callable[[Request], Awaitable[Response]]
Version = Annotated[str | None, Query(max_length=200, description="of the registry; by default its champion")]
Label = Annotated[str, Query(description="what the face shows", json_schema_extra={"enum": list(LABELS)})]
Place = Annotated[int, Query(ge=-LARGEST, le=LARGEST, description="of the face's box, in pixels of the picture")]
Size = Annotated[int, Query(ge=1, le=LARGEST, description="of the face's box, in pixels of the picture")]

_PICTURE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/jpeg", "image/png")},
    }
}
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Problem, "description": "not a picture, or another thing that can't be"},
    401: {"model": Problem, "description": "refused: no token, or a foreign page"},
    404: {"model": Problem, "description": "there is no such version"},
    413: {"model": Problem, "description": "too large"},
    422: {"model": Problem, "description": "a parameter is missing, or is none"},
}


def make_app(eyes: Eyes, corrections: Corrections, guard: Guard) -> FastAPI:
    """Return the server as an ASGI application."""
    # FastAPI's own pages of the description would load scripts from elsewhere.
    app = FastAPI(title="Facial emotion, live", version="1", docs_url=None, redoc_url=None)

    @app.middleware("http")
    async def guarded(request: Request, call_next: Next) -> Response:
        refused = None if request.url.path == "/healthz" else guard.refusal(request)
        answer = JSONResponse({"detail": refused}, 401) if refused else await call_next(request)
        answer.headers.update(_HEADERS)
        if (
            not refused and "token" in request.query_params
        ):  # so that the page's own requests need none in their address
            answer.set_cookie(COOKIE, request.query_params["token"], httponly=True, samesite="strict")
        return answer

    @app.exception_handler(UserError)
    async def refused(_: Request, error: UserError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 400)

    @app.exception_handler(UnknownVersionError)
    async def unknown(_: Request, error: UnknownVersionError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 404)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        found = "" if first["type"] == "missing" else f", found {str(first['input'])[:60]!r}"
        return JSONResponse({"detail": f"{first['loc'][-1]}: {first['msg']}{found}"}, 422)

    _add_pages(app, eyes)
    _add_looking(app, eyes, corrections)
    _add_live(app, eyes, guard)
    return app


_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(self), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def _add_pages(app: FastAPI, eyes: Eyes) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.get("/healthz", response_class=PlainTextResponse, summary="Whether the server works; needs no token")
    async def healthz() -> str:
        return "ok"

    @app.get("/metrics", response_class=PlainTextResponse, summary="Counters for Prometheus", responses=_of(401))
    async def metrics() -> PlainTextResponse:
        return PlainTextResponse(eyes.metrics.text(), media_type="text/plain; version=0.0.4")

    app.mount("/static", StaticFiles(directory=PAGE), name="static")


def _add_looking(app: FastAPI, eyes: Eyes, corrections: Corrections) -> None:
    @app.get("/api/versions", summary="Which networks can be asked", responses=_of(401))
    def versions() -> VersionsAnswer:
        champion, names = eyes.versions()
        return VersionsAnswer(champion=champion, versions=names, corrections=corrections.folder is not None)

    @app.post(
        "/api/picture",
        summary="What is seen in a picture",
        responses=_of(400, 401, 404, 413, 422),
        openapi_extra=_PICTURE,
    )
    async def picture(request: Request, version: Version = None) -> PictureAnswer:
        name, faces = await eyes.look(await body(request), "picture", version, Tracker(0.0), 0.0)
        return PictureAnswer(version=name, faces=told(faces))

    @app.post(
        "/api/corrections",
        summary="Keep a face of a picture under another label",
        responses=_of(400, 401, 413, 422),
        openapi_extra=_PICTURE,
    )
    async def correct(request: Request, label: Label, left: Place, top: Place, width: Size, height: Size) -> KeptAnswer:
        content, box = await body(request), Box(left, top, width, height)

        def keep() -> Path:
            return corrections.keep(decode_picture(content, "picture", PIXELS), box, label)

        # Elsewhere: large pictures and slow disks take a while, in which the live pictures would wait.
        kept = await run_in_threadpool(keep)
        eyes.metrics.corrections.labels(label).inc()
        return KeptAnswer(kept=f"{label}/{kept.name}")


def _add_live(app: FastAPI, eyes: Eyes, guard: Guard) -> None:
    clients: set[WebSocket] = set()

    @app.websocket("/live")
    async def live(socket: WebSocket, version: str | None = None) -> None:
        await socket.accept()
        refused = guard.refusal(socket)
        if refused or len(clients) >= CLIENTS:
            await socket.close(1008 if refused else 1013, refused or "too many look at once; try again later")
            return
        clients.add(socket)
        try:
            await Live(socket, eyes, version).run()
        finally:
            clients.discard(socket)


async def body(request: Request) -> bytes:
    """Return what a request holds, as soon as it is known not to be too large.

    Raises:
        HTTPException: 413, it is.
    """
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > BODY:
            raise HTTPException(413, f"picture: more than {BODY:,} bytes; send a smaller one")
    return bytes(content)


def _of(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: _PROBLEMS[code] for code in codes}
