"""What one request, one frame and one client may cost."""

from typing import Final

BODY: Final = 8 << 20
"""Bytes of a picture that is sent."""

FRAME: Final = 2 << 20
"""Bytes of a frame over the WebSocket."""

PIXELS: Final = 16_000_000
"""Pixels of a picture or a frame."""

LARGEST: Final = 100_000
"""Pixels that a coordinate may have."""

CLIENTS: Final = 100
"""WebSockets at once."""

SIDE: Final = 720
"""Pixels of the shorter side of what is looked at; larger pictures are made smaller first."""
