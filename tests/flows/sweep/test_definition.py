"""Sweeps as their files say them: what they ask for, and what is refused before any run."""

from pathlib import Path

import pytest
import yaml

from flows.locks import AT_ONCE, devices, gpus
from flows.sweep.definition import check_search, path_of, plan, read_sweep
from tasks.common.errors import UserError
from tasks.common.processes import cores
from tests.conftest import ROOT

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())

REFUSED = {
    "nothing": ("", "expected runs, grid or search, found nothing"),
    "no YAML": ("runs: [", "not YAML"),
    "an empty sweep": ("runs: []", "line 1: runs is empty: there is nothing to run"),
    "two kinds": ("runs: [{name: a}]\ngrid: {train.epochs: [1]}", "found runs and grid"),
    "two runs of one name": ("runs:\n- name: a\n- name: b\n- name: a\n", "line 4: two runs are called x-a"),
    "a key twice": ("runs:\n- name: a\n  name: b\n", "line 3: name is there twice"),
    "an unknown key": ("runs:\n- name: a\n  sets: {}\n", "line 3: runs.0.sets is not known; did you mean set?"),
    "a name that is none": ("runs:\n- name: a b\n", "line 2: runs.0.name: found 'a b'"),
    "an unknown parameter": (
        "runs:\n- name: a\n- name: b\n  set:\n    train.epoch: 3\n",
        "line 5: train.epoch is not a parameter; did you mean train.epochs?",
    ),
    "an unknown section": ("runs:\n- name: a\n  set: {trian.epochs: 3}\n", "line 3: trian is not a parameter"),
    "a part of a value": ("runs:\n- name: a\n  set: {train.epochs.most: 3}\n", "line 3: train.epochs.most is not"),
    "for all, out of range": ("set:\n  train.epochs: 0\nruns:\n- name: a\n", "line 2: train.epochs: found 0"),
    "in a grid, of another type": ("grid:\n  train.epochs: [1, many]\n", "line 2: train.epochs: found 'many'"),
    "an end out of range": (
        "search:\n  trials: 3\n  space:\n    train.momentum: {low: 0.5, high: 1.5}\n",
        "line 4: train.momentum: found 1.5",
    ),
    "low above high": (
        "search:\n  trials: 3\n  space:\n    train.momentum: {low: 0.9, high: 0.5}\n",
        "line 4: low must lie below high",
    ),
    "no trials": ("search:\n  trials: 0\n  space:\n    train.momentum: [0.5, 0.9]\n", "line 2: search.trials: found 0"),
}


def read(path: Path) -> list[str]:
    sweep = read_sweep(path)
    if sweep.search:
        check_search(path, sweep, sweep.search, PARAMS)
    return [one.name for one in plan(path, sweep, PARAMS)]


@pytest.mark.parametrize("fault", REFUSED)
def test_what_can_not_be_run_is_refused_with_file_and_line(fault, tmp_path):
    text, sentence = REFUSED[fault]
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        read(path)
    assert str(refused.value).startswith(str(path))
    assert sentence in str(refused.value)


def test_a_sweep_that_is_not_there_is_answered_with_the_nearest(monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(UserError, match="did you mean capstone"):
        path_of("capston")


@pytest.mark.parametrize("name", [path.stem for path in (ROOT / "sweeps").glob("*.yaml")])
def test_every_sweep_of_the_repository_can_be_run(name):
    assert read(ROOT / "sweeps" / f"{name}.yaml")


def test_a_grid_is_every_combination_and_seeds_repeat_each(tmp_path):
    path = tmp_path / "wide.yaml"
    path.write_text("seeds: 2\ngrid:\n  model.filters: [[16, 32, 64], [32, 64, 128]]\n  train.optimizer: [adam]\n")
    sweep = read_sweep(path)
    runs = plan(path, sweep, PARAMS)
    assert [one.name for one in runs[:2]] == [f"wide-filters-16_32_64-optimizer-adam-s{seed}" for seed in (1, 2)]
    assert len(runs) == 4
    assert runs[3].overrides == ["model.filters=[32, 64, 128]", "train.optimizer=adam", "train.seed=2"]
    assert len({one.group for one in runs}) == 2


def test_the_gpus_of_a_machine_are_those_that_a_run_may_see(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert gpus() == ["3", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 0\necho 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() == ["0", "1"]
    tool.unlink()
    assert gpus() == []


def test_a_machine_has_a_device_for_each_gpu_or_all_its_cores_or_a_share_of_them_for_each_run(monkeypatch):
    every = tuple(f"core-{core}" for core in cores())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (all_cores,) = devices()
    assert (all_cores.parts, all_cores.sees) == (every, ())
    monkeypatch.setenv(AT_ONCE, str(len(every)))
    assert [one.parts for one in devices()] == [(core,) for core in every]
    monkeypatch.setenv(AT_ONCE, str(len(every) + 1))
    with pytest.raises(UserError, match=f"there are {len(every)} cores for them"):
        devices()
    for wrong in ("0", "-1", "all"):
        monkeypatch.setenv(AT_ONCE, wrong)
        with pytest.raises(UserError, match="is no number of runs"):
            devices()
    monkeypatch.setenv(AT_ONCE, "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with pytest.raises(UserError, match="here each GPU takes one run"):
        devices()
    monkeypatch.delenv(AT_ONCE)
    assert [one.sees for one in devices()] == [("env", f"CUDA_VISIBLE_DEVICES={card}") for card in (3, 5)]
