"""Run every measurement and write docs/performance.md: what each is, its command, and what it printed.

    python -m bench.all --csv fer2013.csv [--torch /path/to/a/python/with/torch] [--rounds 3]

Run it after `make run`, on an idle machine: the ratios are taken in one run each, but who else computes moves them all.
"""

import argparse
import ast
import platform
import subprocess
import sys
from pathlib import Path

from tasks.common.errors import UserError, command

PAGE = Path("docs/performance.md")

HEAD = """# Performance

Ratios, each taken in one run in which the ways take turns. Written by `python -m bench.all` on {machine}.
{onednn}
"""

ONEDNN = {
    True: """
This processor has AVX-512, so that TensorFlow's oneDNN is on by itself, for the plain script too. Where a processor has
none, TensorFlow leaves it off, and we turn it on: the plain script then falls behind.""",
    False: """
This processor has no AVX-512: TensorFlow leaves its oneDNN off for the plain script, and we turn it on.""",
}


def machine() -> str:
    """Return the processor, its cores, and the system."""
    from model.devices import set_up  # noqa: PLC0415 - brings TensorFlow

    device = set_up("cpu", mixed_precision=False, deterministic=False)
    return f"{device.name} ({platform.system()} {platform.machine()}, Python {platform.python_version()})"


def onednn() -> str:
    """Say what TensorFlow does by itself on this processor; Linux alone tells which that is."""
    try:
        return ONEDNN["avx512f" in Path("/proc/cpuinfo").read_text(encoding="utf-8")]
    except OSError:
        return ""


def section(module: str, arguments: list[str], shown: list[str]) -> str:
    """Run one measurement and return its part of the page; `shown` are the arguments as a reader would give them."""
    print(f"bench.{module} …", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{module}", *arguments], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise UserError(f"bench.{module}: failed\n{done.stdout}{done.stderr}")
    source = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    title = (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]
    command = " ".join(["python", "-m", f"bench.{module}", *shown])
    part = f"\n## {title.rstrip('.')}\n\n```console\n$ {command}\n{done.stdout.rstrip()}\n```\n"
    print(part, flush=True)
    return part


@command
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", required=True, help="FER2013 as the challenge's CSV")
    parser.add_argument("--torch", help="a Python that has PyTorch and NumPy")
    parser.add_argument("--rounds", default="3")
    asked = parser.parse_args()
    if not Path(asked.csv).is_file():
        raise UserError(f"{asked.csv}: no such file; name FER2013 as the challenge's CSV")
    rounds = ["--rounds", asked.rounds]
    torch = (["--torch", asked.torch], ["--torch", "python"]) if asked.torch else ([], [])
    plan = [
        ("ingest", [asked.csv, *rounds], ["fer2013.csv", *rounds]),
        ("validate", rounds, rounds),
        ("throughput", [*torch[0], *rounds], [*torch[1], *rounds]),
        ("shares", rounds, rounds),
        ("predict", rounds, rounds),
        ("noop", rounds, rounds),
        ("flow", rounds, rounds),
    ]
    parts = [section(*step) for step in plan]
    PAGE.write_text(HEAD.format(machine=machine(), onednn=onednn()) + "".join(parts), encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
