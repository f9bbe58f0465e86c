"""How the page's server bears many clients: errors, latency of the newest frame, and its memory.

    python -m bench.load [--model model.onnx] [--clients 50] [--seconds 60]

Each client sends frames of 640×480 with one face over a WebSocket of its own, the next one as soon as it is answered.
The server is a process of its own; `memory` is what it held after a tenth of the time, and at the end.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import httpx
import psutil
import websockets

from bench.serve import frame

ROOT = Path(__file__).parents[1]
PORT = 8765


@dataclass
class Seen:
    """What the clients met."""

    latencies: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)


async def client(content: bytes, until: float, seen: Seen) -> None:
    """Send frames and take their answers until a time."""
    try:
        async with websockets.connect(f"ws://127.0.0.1:{PORT}/live") as own:
            while time.monotonic() < until:
                start = time.perf_counter()
                await own.send(content)
                told = json.loads(await own.recv())
                seen.latencies.append(time.perf_counter() - start)
                if "error" in told or len(told["faces"]) != 1:
                    seen.faults[told.get("error", "another number of faces than one")] += 1
    except (OSError, websockets.WebSocketException) as error:
        seen.faults[str(error)] += 1


async def load(clients: int, seconds: float, server: psutil.Process) -> tuple[Seen, int, int]:
    """Run all clients; return what they met, and the server's memory early and late, in bytes."""
    content, seen = cv2.imencode(".jpg", frame())[1].tobytes(), Seen()
    until = time.monotonic() + seconds
    running = [asyncio.create_task(client(content, until, seen)) for _ in range(clients)]
    await asyncio.sleep(seconds / 10)
    early = server.memory_info().rss
    await asyncio.gather(*running)
    return seen, early, server.memory_info().rss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a model.onnx; by default the registry's champion")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    model = ["--model", str(options.model.resolve())] if options.model else []
    command = [sys.executable, "-m", "serve.web", "--port", str(PORT), *model]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as server:
        try:
            wait(server)
            seen, early, late = asyncio.run(load(options.clients, options.seconds, psutil.Process(server.pid)))
        finally:
            server.terminate()
    times = sorted(seen.latencies)
    print(
        f"{options.clients} clients, {options.seconds:.0f} s: {len(times):,} frames answered, "
        f"{len(times) / options.seconds:.0f} a second; faults: {dict(seen.faults) or 'none'}"
    )
    print(
        f"latency: median {statistics.median(times) * 1000:.0f} ms, 95 % {times[len(times) * 95 // 100] * 1000:.0f} ms"
    )
    print(f"memory: {early / 1e6:.0f} MB, at the end {late / 1e6:.0f} MB")


def wait(server: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers."""
    while server.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{PORT}/healthz")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    sys.exit("the server ended")


if __name__ == "__main__":
    main()
