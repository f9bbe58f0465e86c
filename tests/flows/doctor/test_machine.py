"""GPU, device, disk and memory, and what may ail them."""

import os
import signal
from pathlib import Path

import pytest

from flows.doctor import cards, gpu, loading, probe, space
from flows.doctor.check import Need
from tests.conftest import ROOT

AUTO, GPU = Need("auto"), Need("gpu")
BUILD = {"is_cuda_build": True, "cuda_version": "12.5.1", "cudnn_version": "9"}

no_gpu = pytest.mark.skipif(Path("/proc/driver/nvidia/version").exists(), reason="this machine has a GPU")


def nvidia_smi(folder: Path, line: str, monkeypatch) -> None:
    """Put a `nvidia-smi` in front that prints a line."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{line}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@no_gpu
def test_each_library_that_does_not_load_is_named_in_the_loaders_words(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (tmp_path / "libcudart.so.12").write_text("no library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    found = {check.name: check for check in gpu.libraries(BUILD, GPU)}
    assert found["libcudart.so.12"].outcome == "fail"
    assert found["libcudart.so.12"].found == f"{tmp_path}/libcudart.so.12: file too short"
    assert found["libcudart.so.12"].mend == f"take {tmp_path} out of LD_LIBRARY_PATH"
    if loading.find("libcudnn.so.9") == "libcudnn.so.9":
        sentence = "libcudnn.so.9: cannot open shared object file: No such file or directory"
        assert (found["libcudnn.so.9"].found, found["libcudnn.so.9"].mend) == (sentence, "`make setup GPU=1`")
    assert gpu.libraries(BUILD, AUTO)[0].outcome == "warn"


def test_a_library_that_loads_has_no_fault(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert loading.load("libm.so.6") == loading.Library("libm.so.6", "libm.so.6")


def test_the_libraries_follow_the_build():
    assert gpu.names(BUILD)[:3] == ["libcudart.so.12", "libcudnn.so.9", "libcublas.so.12"]
    assert "libcufft.so.11" in gpu.names(BUILD)
    assert "libcufft.so.12" in gpu.names(BUILD | {"cuda_version": "13.0"})


@no_gpu
def test_a_driver_without_its_library_and_one_that_is_too_old(tmp_path, monkeypatch):
    nvidia_smi(tmp_path, "NVIDIA T4, 470.256.02, 1200, 15360", monkeypatch)
    monkeypatch.chdir(ROOT)
    found = cards.driver(AUTO)
    assert found.outcome == "warn"  # training would use the CPU without a word
    assert found.found.startswith("NVIDIA 470.256.02, NVIDIA T4, but libcuda.so.1: cannot open")
    assert cards.driver(GPU).outcome == "fail"
    found = gpu.build(BUILD, GPU)
    assert (found.outcome, found.found.endswith("need driver 525 or newer; it is 470.256.02")) == ("fail", True)
    (memory,) = cards.memory(AUTO)
    assert (memory.outcome, memory.found) == ("warn", "1,200 of 15,360 MB free on NVIDIA T4")
    assert probe.chosen("CPU, 2 cores", AUTO).outcome == "warn"


@no_gpu
def test_a_driver_that_shows_no_card_is_quoted(tmp_path, monkeypatch):
    sentence = "Failed to initialize NVML: Driver/library version mismatch"
    nvidia_smi(tmp_path, sentence, monkeypatch)
    assert cards.look().cards == ()
    assert sentence in cards.driver(GPU).found


def test_a_card_without_a_driver_is_seen_on_the_bus(tmp_path):
    for name, vendor, kind in (("bridge", "0x10de", "0x060400"), ("other", "0x8086", "0x030000"), ("odd", "", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(f"{vendor}\n")
        (tmp_path / name / "class").write_text(f"{kind}\n")
    assert not cards.on_bus(tmp_path)
    (tmp_path / "bridge" / "class").write_text("0x030200\n")
    assert cards.on_bus(tmp_path)
    assert not cards.on_bus(tmp_path / "nowhere")


def test_memory_that_a_card_does_not_tell_is_nothing_to_check():
    assert cards.read_card("NVIDIA GB10, 580.95, [N/A], [N/A]") == cards.Card("NVIDIA GB10", "580.95", 0, 0)


def test_a_probe_that_dies_is_reported_with_its_signal_and_last_lines(here):
    for number in (signal.SIGABRT, signal.SIGKILL):
        code = "import os, sys; print('Check failed: a kernel', file=sys.stderr, flush=True); os.kill(os.getpid(), {})"
        Path("model/probing.py").write_text(code.format(number))
        probe.probe.cache_clear()
        (found,) = probe.works(AUTO)
        assert found.outcome == "fail"
        assert found.found.endswith(f"ended by {number.name}: Check failed: a kernel")


def test_wrong_results_fail():
    assert probe.convolution(3e-7).outcome == "pass"
    assert probe.convolution(0.02).outcome == "fail"
    assert probe.convolution(float("nan")).outcome == "fail"
    assert probe.learning(None, "after 150 steps").found == "after 150 steps"


def test_little_space_warns_and_next_to_none_fails():
    assert [space.free_disk("it", free).outcome for free in (5.1, 4.9, 0.9)] == ["pass", "warn", "fail"]
    assert [space.free_memory(free).outcome for free in (2.1, 1.9)] == ["pass", "warn"]


def test_the_disks_of_workspace_and_cache_are_looked_at(here, tmp_path, monkeypatch):
    assert space.disk(AUTO)[0].found.endswith("GB free for the workspace and DVC's cache")
    bare = tmp_path / "bare"
    bare.mkdir()
    monkeypatch.chdir(bare)
    assert space.disk(AUTO)[0].found.endswith("GB free for the workspace")


def test_a_cache_on_another_disk_has_a_line_of_its_own(here):
    other = Path("/dev/shm")  # noqa: S108 - nothing is written there
    if not other.exists() or other.stat().st_dev == here.stat().st_dev:
        pytest.skip(f"{other} is no disk of its own")
    Path(".dvc/config").write_text(f"[cache]\ndir = {other}/not/yet\n")
    assert [check.found.partition(" for ")[2] for check in space.disk(AUTO)] == ["the workspace", "DVC's cache"]
