"""Faces a second of our training, beside a plain Keras script and PyTorch on the same network.

    python -m bench.throughput [--network compact] [--rounds 3] [--torch /path/to/a/python/with/torch] [--avx2]

Each measurement is a process of its own; the ways take turns, so that the machine's mood meets all. A way trains on
drawn faces, batch 64, with Nesterov's momentum; the first batches, which compile, are left out. Ours augments its faces
as `params.yaml` says, and is measured without that as well, in four parts that the cores compute side by side, with
Muon, and in bfloat16 where the processor has it; the others get theirs ready-made, and all but that one compute in
float32. What augmentation takes of a core is measured alone. PyTorch's network is written out in `bench/rival.py`, and
refused unless it has as many parameters. `--avx2` holds all of them to the instructions of a processor without AVX-512,
and leaves oneDNN off for the plain script, as TensorFlow does on one.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[1]
BATCH = 64
WARM, MEASURED = 4, {"capstone": 6, "compact": 40}
"""Batches left out, and batches measured."""

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
"""What holds TensorFlow's and PyTorch's kernels to AVX2, on a processor that has more."""


def rate_of(marks: list[float]) -> float:
    """Return faces a second between the marks, one at the end of each batch, after those that warm up."""
    marks = marks[WARM - 1 :]
    return BATCH * (len(marks) - 1) / (marks[-1] - marks[0])


def ours(
    name: str,
    batches: int,
    *,
    augmented: bool = True,
    optimizer: Literal["nesterov", "muon"] = "nesterov",
    parts: int = 1,
    half: bool = False,
) -> float:
    """Train as `tasks.train` does, in float32 or in half precision, where the processor has it."""
    from model.devices import set_up  # noqa: PLC0415 - each way imports what it needs, in a process of its own
    from model.networks import build  # noqa: PLC0415
    from model.training.augmentation import Augmentation  # noqa: PLC0415
    from model.training.batches import Labelled  # noqa: PLC0415
    from model.training.fitting import Fitting, fit  # noqa: PLC0415
    from model.training.guard import Watch  # noqa: PLC0415
    from model.training.optimizers import Recipe  # noqa: PLC0415
    from tasks.common.reading import load_params  # noqa: PLC0415

    params = load_params(ROOT / "params.yaml")
    set_up("cpu", mixed_precision=half, deterministic=params.train.deterministic, parts=parts)
    faces, labels = drawn(batches)
    augment = Augmentation(**params.augment.model_dump()) if augmented else Augmentation()
    recipe, ghost = Recipe(optimizer, 0.01, weight_decay=5e-4), BATCH // parts
    fitting = Fitting(recipe, epochs=1, batch_size=BATCH, seed=0, augment=augment, ghost_batch=ghost)
    marks: list[float] = []
    watch = Watch(batch=lambda *_: marks.append(time.perf_counter()))
    few = Labelled(faces[:BATCH], labels[:BATCH])
    fit(build(name), Labelled(faces, labels), few, fitting, watch=watch)
    return rate_of(marks)


def plain(name: str, batches: int) -> float:
    """Train as a script of twenty lines does: `model.fit` on float32 arrays, TensorFlow as it comes."""
    import keras  # noqa: PLC0415 - before our `model`, which changes how TensorFlow starts

    from model.networks import build  # noqa: PLC0415
    from model.networks.parts import CHANNEL  # noqa: PLC0415

    network = build(name)
    inner = keras.Model(network.get_layer(CHANNEL).output, network.output)
    same = keras.models.clone_model(inner, input_tensors=keras.Input((48, 48, 1)), clone_function=lambda layer: layer)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    same.compile(keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True), loss, metrics=["accuracy"])
    faces, labels = drawn(batches)
    marks: list[float] = []
    mark = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: marks.append(time.perf_counter()))
    same.fit(faces[..., None].astype("float32"), labels, batch_size=BATCH, verbose=0, callbacks=[mark])
    return rate_of(marks)


def drawn(batches: int) -> tuple[Any, Any]:
    """Return faces uint8 [n, 48, 48] and labels [n], for so many batches."""
    import numpy as np  # noqa: PLC0415

    rng = np.random.default_rng(0)
    n = BATCH * batches
    return rng.integers(0, 256, (n, 48, 48), dtype=np.uint8), rng.integers(0, 7, n)


def augmenting(batches: int) -> float:
    """Return how many faces a second one core augments as `params.yaml` says, beyond handing them out unchanged."""
    from model.training.augmentation import Augmentation  # noqa: PLC0415
    from model.training.batches import Batches, Labelled  # noqa: PLC0415
    from tasks.common.reading import load_params  # noqa: PLC0415

    def seconds(augment: Augmentation) -> float:
        made = Batches(Labelled(*drawn(batches)), BATCH, seed=(0, 0), augment=augment)
        began = time.thread_time()
        for index in range(batches):
            made[index]
        return time.thread_time() - began

    changed = seconds(Augmentation(**load_params(ROOT / "params.yaml").augment.model_dump()))
    return BATCH * batches / (changed - seconds(Augmentation()))


def halves(held: dict[str, str]) -> bool:
    """Say whether the processor, held to what it is, computes in bfloat16."""
    code = "from model.kernels import computes_bfloat16; print(computes_bfloat16())"
    return _said([sys.executable, "-c", code], held).split()[-1] == "True"


def parameters(name: str) -> int:
    """Return how many parameters our network has."""
    code = f"from model.networks import build; print(build({name!r}).count_params())"
    return int(_said([sys.executable, "-c", code]).split()[-1])


HALF = "ours, half precision"
"""It needs avx512_bf16 or amx_bf16."""

WAYS = {
    "ours": ours,
    "ours, faces unchanged": lambda name, batches: ours(name, batches, augmented=False),
    "ours, in four parts": lambda name, batches: ours(name, batches, parts=4),
    "ours with Muon": lambda name, batches: ours(name, batches, optimizer="muon"),
    HALF: lambda name, batches: ours(name, batches, half=True),
    "plain Keras": plain,
}

AUGMENTING = "augmentation alone"
"""Not a way to train: what it costs is a core's time beside ours."""


def measure(way: str, name: str, torch: str | None, count: int, *, avx2: bool = False) -> float:
    """Return faces a second of one way, in a process of its own."""
    held = AVX2 if avx2 else {}
    batches = str(WARM + MEASURED[name])
    if way.startswith("PyTorch"):
        layout = "last" if "last" in way else "first"
        command = [
            str(torch),
            str(ROOT / "bench" / "rival.py"),
            name,
            batches,
            str(BATCH),
            str(WARM),
            layout,
            str(count),
        ]
        return float(_said(command, held).split()[-1])
    if avx2 and way == "plain Keras":
        held = {**held, "TF_ENABLE_ONEDNN_OPTS": "0"}
    return float(_said([sys.executable, "-m", "bench.throughput", "--way", way, "--network", name], held).split()[-1])


def _said(command: list[str], held: dict[str, str] | None = None) -> str:
    # Whoever started this may have imported our `model`, which sets how TensorFlow starts: each way begins as it comes.
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    quiet.pop("TF_ENABLE_ONEDNN_OPTS", None)
    done = subprocess.run(command, cwd=ROOT, env=quiet | (held or {}), check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: failed\n{done.stdout}{done.stderr}")
    return done.stdout


def compare(name: str, rounds: int, torch: str | None, *, avx2: bool = False) -> None:
    """Measure all ways in turn and print their medians, and ours beside each."""
    held = AVX2 if avx2 else {}
    ways = [
        *(way for way in WAYS if way != HALF or halves(held)),
        *(["PyTorch", "PyTorch, channels last"] if torch else []),
    ]
    count = parameters(name) if torch else 0
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            rates[way].append(measure(way, name, torch, count, avx2=avx2))
    medians = {way: statistics.median(found) for way, found in rates.items()}
    print(
        f"{name}, batch {BATCH}{', held to AVX2' if avx2 else ''}, faces a second, medians of {rounds} (least to most):"
    )
    for way, found in rates.items():
        beside = f"ours is {medians['ours'] / medians[way]:.2f} times as fast"
        if HALF in medians:
            beside += f", in half precision {medians[HALF] / medians[way]:.2f}"
        print(f"  {way:24} {medians[way]:6.0f} ({min(found):.0f} to {max(found):.0f})  {beside}")
    alone = measure(AUGMENTING, name, torch, count, avx2=avx2)
    print(f"  augmentation alone       {alone:6.0f} on one core: {medians['ours'] / alone:.1%} of the time of ours")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=MEASURED)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torch", help="a Python that has PyTorch and NumPy")
    parser.add_argument("--avx2", action="store_true", help="hold all to AVX2, as if the processor had no AVX-512")
    parser.add_argument(
        "--way", choices=[*WAYS, AUGMENTING], help="measure this one, here, and print its faces a second"
    )
    asked = parser.parse_args()
    for name in [asked.network] if asked.network else MEASURED:
        if asked.way == AUGMENTING:
            print(augmenting(WARM + MEASURED[name]))
        elif asked.way:
            print(WAYS[asked.way](name, WARM + MEASURED[name]))
        else:
            compare(name, asked.rounds, asked.torch, avx2=asked.avx2)


if __name__ == "__main__":
    main()
