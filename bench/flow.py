"""What the train flow adds to a plain `dvc repro` that runs every stage, with a server and without one.

    python -m bench.flow [--rounds 3]

Run it after `make run`. It works in a clone, whose stages are forced by a cache without their outputs; the three take
turns, so that the machine's mood meets all. The parameters are shrunk: what is added does not depend on them.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from flows.overrides import apply

SHRUNK = ["model.filters=[8]", "model.kernel_sizes=[3]", "train.epochs=1", "train.canary=false", "gate.resamples=200"]


def clone(folder: Path) -> Path:
    """Clone this repository with its data, the parameters shrunk and committed."""
    if not Path("data").is_dir():
        sys.exit("error: there is no data here; run `make data` first")
    where = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", ".", str(where)], check=True)
    shutil.copytree("data", where / "data")
    apply(where / "params.yaml", SHRUNK)
    subprocess.run(["git", "-c", "user.name=b", "-c", "user.email=b", "commit", "-qam", "short"], cwd=where, check=True)
    return where


def seconds(where: Path, command: list[str], environment: dict[str, str]) -> float:
    """Return how long a command takes that has to run every stage."""
    for name in ("outputs", "reports", "plots", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(where / name, ignore_errors=True)
    subprocess.run(["git", "checkout", "--quiet", "."], cwd=where, check=True)
    (where / "dvc.lock").unlink()
    subprocess.run([sys.executable, "-m", "dvc", "commit", "--quiet", "--force", "data.dvc"], cwd=where, check=True)
    start = time.perf_counter()
    done = subprocess.run(command, cwd=where, env=environment, check=False, capture_output=True, text=True)
    took = time.perf_counter() - start
    if done.returncode or "Running stage 'gate'" not in done.stdout + done.stderr:
        sys.exit(f"{' '.join(command)}: failed\n{done.stdout}{done.stderr}")
    return took


def serve(home: Path) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    """Start a Prefect server; return it and the variables that lead to it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/api"
    while True:
        try:
            httpx.get(f"{url}/health").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.5)
        else:
            return server, {**environment, "PREFECT_API_URL": url}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    repro, flow = [sys.executable, "-m", "dvc", "repro"], [sys.executable, "-m", "flows.train"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # a server of a run may still be ending
        where = clone(Path(folder))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        os.environ["PATH"] = path
        server, served = serve(Path(folder) / "server")
        alone = {**os.environ, "PREFECT_HOME": str(Path(folder) / "alone")}
        alone.pop("PREFECT_API_URL", None)
        seconds(where, flow, alone)  # the first run makes the temporary server's database
        ways = ((repro, alone), (flow, served), (flow, alone))
        turns = [[seconds(where, *way) for way in ways] for _ in range(rounds)]
        server.terminate()
        server.wait()
    plain, with_server, without = (statistics.median(column) for column in zip(*turns, strict=True))
    print(f"dvc repro {plain:.1f} s; medians of {rounds}")
    for name, took in (("with a server", with_server), ("without one", without)):
        print(f"the flow {name}: +{took - plain:.1f} s, {took / plain:.2f} times")


if __name__ == "__main__":
    main()
