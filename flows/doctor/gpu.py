"""TensorFlow's build, and the libraries that it needs for a GPU and hides when they fail to load."""

import importlib.util
import os
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from flows.doctor import cards
from flows.doctor.check import Check, Need
from flows.doctor.loading import Library, load
from flows.doctor.probe import probe
from tasks.common.processes import cores

BUILD_INFO: Final = Path("python", "platform", "build_info.py")
OTHERS: Final = {
    12: ("libcufft.so.11", "libcusolver.so.11", "libcusparse.so.12", "libcurand.so.10", "libnvJitLink.so.12"),
    13: ("libcufft.so.12", "libcusolver.so.12", "libcusparse.so.12", "libcurand.so.10", "libnvJitLink.so.13"),
}
"""Libraries whose numbers don't follow CUDA's, by CUDA's major version."""

LEAST_DRIVER: Final = {12: 525, 13: 580}
"""Oldest driver, by CUDA's major version (NVIDIA, "CUDA Compatibility", minor version compatibility)."""

INSTALL: Final = "`make setup GPU=1`"


def gpu(need: Need) -> list[Check]:
    """Check driver, build and libraries; where no GPU is wanted or there, say so in one line."""
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if need.device == "cpu":
        return [Check("GPU", "pass", f"not asked for (train.device: cpu): {_computer(need)}")]
    if need.device == "auto" and cards.look().version is None and not cards.on_bus():
        return [_none(need)]
    if backend != "tensorflow":
        return [
            cards.driver(need),
            Check("build", "pass", f"TensorFlow's is not looked at: KERAS_BACKEND is {backend}"),
        ]
    info = build_info()
    return [cards.driver(need), build(info, need), *(libraries(info, need) if info.get("is_cuda_build") else [])]


def build_info() -> dict[str, Any]:
    """Return what TensorFlow says of its build, read from its file: TensorFlow itself may crash, and is slow to import.

    Empty where there is no TensorFlow.
    """
    package = importlib.util.find_spec("tensorflow")
    if package is None or not package.submodule_search_locations:
        return {}
    path = Path(package.submodule_search_locations[0]) / BUILD_INFO
    spec = importlib.util.spec_from_file_location("build_info", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: not a module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.build_info)


def build(info: dict[str, Any], need: Need) -> Check:
    """Check that TensorFlow was built with CUDA, for one that the driver knows."""
    if not info:
        return Check("build", "fail", "TensorFlow is not installed", INSTALL)
    tensorflow = f"TensorFlow {_version()}"
    if not info["is_cuda_build"]:
        return Check("build", need.without_gpu, f"{tensorflow} is a CPU-only build", INSTALL)
    found = f"{tensorflow}, for CUDA {info['cuda_version']} and cuDNN {info['cudnn_version']}"
    driver, least = cards.look().version, LEAST_DRIVER.get(_major(info), 0)
    if driver and int(driver.partition(".")[0]) < least:
        found += f", which need driver {least} or newer; it is {driver}"
        return Check("build", need.without_gpu, found, "install a newer driver (https://www.nvidia.com/drivers)")
    return Check("build", "pass", found)


def libraries(info: dict[str, Any], need: Need) -> list[Check]:
    """Load each library of the build; give one line where all load, else one of each that does not."""
    tried = [load(name) for name in names(info)]
    if faults := [library for library in tried if library.fault]:
        return [_unloadable(library, need) for library in faults]
    cuda, cudnn = tried[0], tried[1]
    found = f"all {len(tried)} load, CUDA {cuda.version} and cuDNN {cudnn.version} from {Path(cudnn.place).parent}"
    return [Check("libraries", "pass", found)]


def names(info: dict[str, Any]) -> list[str]:
    """Return the libraries that this build loads, first CUDA's runtime and cuDNN."""
    major = _major(info)
    numbered = {"cudart": major, "cudnn": info["cudnn_version"], "cublas": major, "cublasLt": major, "nccl": 2}
    return [*(f"lib{name}.so.{number}" for name, number in numbered.items()), *OTHERS.get(major, ())]


def _unloadable(library: Library, need: Need) -> Check:
    mend = INSTALL
    if library.place != library.name:
        mend = "remove .venv, then " + INSTALL
        if str(Path(library.place).parent) in os.environ.get("LD_LIBRARY_PATH", "").split(":"):
            mend = f"take {Path(library.place).parent} out of LD_LIBRARY_PATH"
    return Check(library.name, need.without_gpu, str(library.fault), mend)


def _none(need: Need) -> Check:
    return Check("GPU", "pass", f"none, and none is asked for (train.device: auto): {_computer(need)}")


def _computer(need: Need) -> str:
    return f"training uses the {probe(need.device).device or f'CPU, {len(cores())} cores'}"


def _major(info: dict[str, Any]) -> int:
    return int(str(info["cuda_version"]).partition(".")[0])


def _version() -> str:
    names = ("tensorflow", "tensorflow-cpu")
    found = [package.version for name in names for package in metadata.distributions(name=name)]
    return found[0] if found else "of unknown version"
