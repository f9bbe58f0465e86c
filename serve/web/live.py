"""One client's frames over a WebSocket: the newest is looked at, and what came before it meanwhile is let go."""

import asyncio
import json
from contextlib import suppress
from time import monotonic
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from serve.tracking import Tracker
from serve.web.answers import told
from serve.web.eyes import Eyes
from serve.web.limits import FRAME
from tasks.common.errors import UserError

GONE: Final = (WebSocketDisconnect, RuntimeError)
"""What sending raises where the client has gone."""


class Live:
    """Takes frames (encoded pictures, each a binary message) and answers each that it looked at by a JSON message.

    An answer has `frame`, the frame's number from 0, and `faces` and `version`, or `error`. The text message `reset`
    forgets the faces that are followed.
    """

    def __init__(self, socket: WebSocket, eyes: Eyes, version: str | None) -> None:
        self._socket, self._eyes, self._version = socket, eyes, version
        self._newest: tuple[int, bytes] | None = None
        self._came = asyncio.Event()
        self._tracker = Tracker()

    async def run(self) -> None:
        """Serve until the client goes; what nobody foresaw ends the connection, so that the client may try another.

        Raises:
            Exception: that, for the server's log.
        """
        self._eyes.metrics.clients.inc()
        both = [asyncio.create_task(self._take()), asyncio.create_task(self._answer())]
        try:
            ended, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._eyes.metrics.clients.dec()
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
        faults = [fault for task in ended if (fault := task.exception())]
        if faults:
            with suppress(*GONE):
                await self._socket.close(1011, "looking failed, the server's log says why")
            raise faults[0]

    async def _take(self) -> None:
        number = 0
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") == "reset":
                self._tracker = Tracker()
            content = message.get("bytes")
            if content is None:
                continue
            if self._newest is not None:
                self._eyes.metrics.dropped.inc()
            self._newest = number, content
            number += 1
            self._came.set()

    async def _answer(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            newest, self._newest = self._newest, None
            if newest is not None:
                number, content = newest
                said = json.dumps({"frame": number} | await self._look(content))
                try:
                    await self._socket.send_text(said)
                except GONE:
                    return

    async def _look(self, content: bytes) -> dict[str, object]:
        if len(content) > FRAME:
            self._eyes.metrics.refused.inc()
            return {"error": f"frame: found {len(content):,} bytes, expected at most {FRAME:,}"}
        try:
            version, faces = await self._eyes.look(content, "frame", self._version, self._tracker, monotonic())
        except UserError as error:
            return {"error": str(error)}
        return {"version": version, "faces": [face.model_dump() for face in told(faces)]}
