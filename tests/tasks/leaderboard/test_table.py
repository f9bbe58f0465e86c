import pytest
from rich.console import Console

from tasks.leaderboard import table
from tasks.leaderboard.runs import Cost
from tasks.leaderboard.table import MISSING, honesty, key, rows, show
from tests.tasks.leaderboard.making import a_run, capstone, scored


def test_a_row_has_every_figure_and_a_dash_where_there_is_none():
    full = a_run("full", {"train.epochs": 12}, val_accuracy=0.6, val_macro_f1=0.5, val_faces=3_230, test=scored(0.63))
    assert rows([full]) == [
        {
            "run": "full",
            "changed": "train.epochs=12",
            "validation accuracy": "0.600 [0.583, 0.617]",
            "validation macro F1": "0.500",
            "test accuracy": "0.630 [0.614, 0.646]",
            "test macro F1": "0.560",
            "verdict": "promote",
            "minutes": "5.0",
            "GPU-hours": "0.083",
            "faces/s": "34,440",
            "peak MB": "2,100 (GPU 5,400)",
            "device": "NVIDIA H100",
        }
    ]
    bare = rows([a_run("bare", val_accuracy=None, val_macro_f1=None, cost=Cost())])[0]
    assert {name for name, cell in bare.items() if cell == MISSING} == set(bare) - {"run", "changed"}


def test_of_very_many_changes_some_are_counted_alone():
    many = a_run("many", {f"train.knob_{number:02}": number for number in range(15)})
    assert rows([many])[0]["changed"].endswith("train.knob_11=11 and 3 more")


def test_the_line_on_honesty_counts_and_names_those_that_saw_the_test_faces():
    unseen, one, two = a_run("unseen"), a_run("one", test=scored(0.6)), a_run("two", test=scored(0.7))
    assert honesty([unseen]).endswith("None of them looked at the test faces.")
    assert honesty([unseen, one]).endswith("looked at once, by one.")
    assert honesty([two, unseen, one]).endswith("looked at 2 times, by one, two.")


def test_the_key_explains_what_is_in_the_table_alone():
    assert key([a_run("a", val_faces=None)]) == ""
    assert "Wilson" in key([a_run("a")])
    assert "seeds" not in key([a_run("a")])
    assert all(word in key(capstone()) for word in ("Wilson", "evaluation", "seeds"))


@pytest.mark.parametrize("width", [100, 160])
def test_in_a_terminal_no_line_is_wider_than_it_and_no_figure_is_cut(monkeypatch, width):
    terminal = Console(force_terminal=True, width=width, record=True, color_system=None, highlight=False)
    monkeypatch.setattr(table, "console", terminal)
    with terminal.capture() as said:
        show(capstone())
    text = said.get()
    assert max(map(len, text.splitlines())) <= width
    for row in rows(capstone()):
        assert text.count(row["run"]) >= 2, "once with its figures, once with its cost"
        assert all(part in text for part in row["validation accuracy"].partition(" [")[::2])
        assert all(one in text for one in row["changed"].split())


def test_in_a_pipe_each_run_is_one_line_of_plain_text(capsys):
    show(capstone())
    lines = capsys.readouterr().out.splitlines()
    names = [row["run"] for row in rows(capstone())]
    assert [line[: len(name)] for line, name in zip(lines[1:], names, strict=False)] == names
    assert len({line.index("NVIDIA") for line in lines[1 : len(names) + 1]}) == 1, "the columns stand under each other"
    assert all(line.isprintable() for line in lines)
