import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from model import summary
from model.inspecting.drawing import draw
from model.networks import build, with_probabilities
from model.summary import as_text, describe, total
from tests.model.tiny import tiny


def test_the_capstones_published_counts():
    rows = describe(build("capstone"))
    totals = total(rows)
    assert (totals.parameters, totals.trainable, totals.non_trainable) == (5_810_183, 5_805_191, 4_992)
    assert totals.multiply_adds == 352_464_384


def test_multiply_adds_by_hand():
    rows = {row.kind: row for row in describe(tiny())}
    assert rows["Conv2D"].shape == (22, 22, 8)
    assert rows["Conv2D"].settings == "8, 5×5, stride 2, relu"
    assert rows["Conv2D"].multiply_adds == 22 * 22 * 5 * 5 * 8
    assert rows["Conv2D"].parameters == 5 * 5 * 8 + 8
    assert rows["Dense"].multiply_adds == 8 * 7
    assert rows["MaxPooling2D"].multiply_adds == 0


def test_shortcuts_are_inputs():
    rows = {row.name: row for row in describe(build("compact", filters=(4,), kernel_sizes=(3,)))}
    add = next(row for row in rows.values() if row.kind == "Add")
    assert {rows[name].kind for name in add.inputs} == {"Multiply", "Activation"}


def test_the_drawing_is_svg_with_each_weighted_layer_and_the_shortcut():
    rows = describe(with_probabilities(build("compact", filters=(4, 8), kernel_sizes=(3, 3), blocks=(1, 1))))
    svg = ElementTree.fromstring(draw(rows))  # noqa: S314 - our own
    texts = [element.text for element in svg.iter() if element.text]
    weighted = [row for row in rows if row.kind in ("Conv2D", "Dense")]
    assert sum("Conv2D" in text or text.startswith("Dense") for text in texts) == len(weighted)
    paths = [element.get("d", "") for element in svg.iter("{http://www.w3.org/2000/svg}path")]
    assert (
        sum("Q" in path for path in paths) == 4
    )  # of each of two blocks, the shortcut and the maps that its gate meets
    assert draw(rows) == draw(rows)


def test_the_command_prints_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "compact.svg"
    monkeypatch.setattr(sys, "argv", ["summary", "compact", "--out", str(out)])
    summary.main()
    assert "1,548,663 parameters" in capsys.readouterr().out
    assert out.read_text().startswith("<svg")


def test_columns_of_the_text_line_up():
    *lines, _ = as_text(describe(tiny())).splitlines()
    assert len({len(line) for line in lines}) == 1
