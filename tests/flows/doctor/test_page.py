"""The whole page on this machine, and what all checks share."""

import json
import shlex
import shutil
import sys
import time
import venv
from pathlib import Path

import psutil
import pytest

from flows.doctor import gpu, versions
from flows.doctor.__main__ import SECTIONS
from flows.doctor.asking import ask
from flows.doctor.check import Check, Need, carry_out, read_need
from tests.workspaces import run

AUTO, GPU = Need("auto"), Need("gpu")
LOCK = "requirements.lock"

no_gpu = pytest.mark.skipif(Path("/proc/driver/nvidia/version").exists(), reason="this machine has a GPU")


def by_name(checks: list[dict]) -> dict[str, dict]:
    return {check["name"]: check for check in checks}


def test_a_sound_machine_passes_and_its_page_has_every_section(house):
    said = run(house, "python", "-m", "flows.doctor")
    lines = said.splitlines()
    assert [line for line in lines if line.endswith(":")] == [f"{section}:" for section in SECTIONS]
    checks = [line for line in lines if line[:6] in ("pass  ", "warn  ", "fail  ")]
    assert not [line for line in checks if line.startswith("fail")]
    assert {line[6:23].strip() for line in checks} >= {"Python", "convolution", "learning", "disk", "data", "Prefect"}
    assert lines[-1] == f"doctor: {said.count('pass  ')} pass, {said.count('warn  ')} warn, 0 fail"


@no_gpu
def test_where_a_gpu_is_required_its_absence_fails_with_the_mends(house):
    said = run(house, "python", "-m", "flows.doctor", "--require-gpu", "--json", ok=False)
    found = by_name(json.loads(said[said.index("[\n") : said.rindex("]") + 1]))
    assert found["driver"]["outcome"] == "fail"
    assert "no NVIDIA driver" in found["driver"]["found"]
    assert "install the driver" in found["driver"]["mend"]
    assert found["device"]["found"] == "tensorflow sees no GPU"
    if not gpu.build_info()["is_cuda_build"]:
        assert found["build"]["outcome"] == "fail"
        assert found["build"]["found"].endswith("is a CPU-only build")
        assert found["build"]["mend"] == "`make setup GPU=1`"


def test_what_is_needed_follows_params_yaml(here):
    assert read_need(require_gpu=False) == AUTO
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(params.replace("device: auto", "device: gpu"))
    assert read_need(require_gpu=False) == GPU
    Path("params.yaml").write_text("train: [")
    assert read_need(require_gpu=False) == AUTO
    assert read_need(require_gpu=True) == GPU


def test_a_check_that_raises_has_failed_and_says_with_what():
    def broken(_: Need) -> Check:
        raise ZeroDivisionError("by zero")

    assert carry_out("it", broken, AUTO) == [Check("it", "fail", "ZeroDivisionError: by zero")]


def test_other_versions_than_the_locked_ones_are_noticed(here):
    pins = [pin for pin in versions.read_lock(Path(LOCK)) if pin.name == "numpy"]
    (pinned,) = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    assert not versions.unmet([pinned])
    lock = Path(LOCK).read_text()
    gone = "no-such-package==1.0 ; sys_platform == '{}' \\\n"
    lock = lock.replace(f"numpy{pinned.specifier} ;", "numpy==1.0.0 ;") + gone.format(sys.platform)
    Path(LOCK).write_text(lock + gone.format("plan9").replace("no-such", "no-such-either"))
    faults = versions.unmet(versions.read_lock(Path(LOCK)))
    assert faults == [f"numpy is {str(pinned.specifier)[2:]} (==1.0.0)", "no-such-package is missing (==1.0)"]


def test_a_lock_that_is_not_kept_warns_and_a_range_that_is_not_kept_fails(here):
    extra = versions._extra()
    lock = versions.LOCKS[extra]
    lock.write_text(lock.read_text().replace("\nnumpy==", "\nnumpy==0."))
    found = versions.packages(AUTO)
    assert (found.outcome, found.found.startswith(f"not as in {lock}: numpy is ")) == ("warn", True)
    assert found.mend
    assert f"touch {lock} && make setup" in found.mend
    project = Path("pyproject.toml")
    project.write_text(project.read_text().replace('"keras>=3', '"keras>=33'))
    found = versions.packages(AUTO)
    assert found.outcome == "fail"
    assert "keras is " in found.found


def test_a_python_that_is_not_served_fails(here):
    assert versions.python(AUTO).outcome == "pass"
    project = Path("pyproject.toml")
    project.write_text(project.read_text().replace('requires-python = ">=3.11,<3.14"', 'requires-python = ">=3.99"'))
    found = versions.python(AUTO)
    assert (found.outcome, found.found.endswith("where >=3.99 is served")) == ("fail", True)


@pytest.mark.parametrize("name", ["env", "a space", "Gefühl's env"])
def test_an_environment_that_was_moved_has_scripts_that_start_another_python(tmp_path, monkeypatch, name):
    old, new = tmp_path / name, tmp_path / f"{name}, moved"
    venv.create(old, with_pip=False)
    python = old / "bin" / "python"
    through_sh = f"#!/bin/sh\n'''exec' {shlex.quote(str(python))} \"$0\" \"$@\"\n' '''\n"  # as uv and pip write it
    (old / "bin" / "dvc").write_text(f"#!{python}\nimport dvc\n" if name == "env" else through_sh)
    monkeypatch.setattr(sys, "prefix", str(old))
    assert versions.scripts(AUTO).outcome == "pass"
    (tmp_path / "link").symlink_to(old)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "link"))
    assert versions.scripts(AUTO).outcome == "pass"
    shutil.copytree(old, new, symlinks=True)
    monkeypatch.setattr(sys, "prefix", str(new))
    assert versions.scripts(AUTO).outcome == "warn"
    shutil.rmtree(old)
    found = versions.scripts(AUTO)
    assert (found.outcome, found.mend) == ("fail", "`rm -r .venv && make setup`")
    assert found.found == f"{new}/bin/dvc starts {python}, not the Python of {new}"


def test_a_program_that_hangs_is_ended_with_all_that_it_started(tmp_path):
    children = tmp_path / "children"
    answer = ask(["sh", "-c", f"sleep 600 & echo $! > {children}; wait"], 0.5)
    assert answer.fault == "no answer within 0 seconds"
    child = int(children.read_text())
    end = time.monotonic() + 60
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_program_that_is_not_there_and_one_that_fails():
    assert ask(["no-such-program"], 5).fault == "no-such-program: No such file or directory"
    assert ask(["sh", "-c", "echo one; echo two >&2; exit 3"], 5).fault == "ended with status 3: two"
