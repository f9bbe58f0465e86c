import io
import logging

import pytest

from flows.log import speak_plainly
from flows.stage import StageError
from tasks.common.errors import UserError


@pytest.fixture
def said():
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    logger = logging.getLogger("prefect.task_runs")
    logger.addHandler(handler)
    yield text
    logger.removeHandler(handler)


@pytest.mark.parametrize(("error", "traced"), [(UserError, False), (StageError, False), (ZeroDivisionError, True)])
def test_a_sentence_for_people_comes_without_a_traceback_and_a_fault_of_ours_with_one(said, error, traced):
    speak_plainly()
    speak_plainly()
    failed = error("found 699 faces")
    logging.getLogger("prefect.task_runs").error("it failed", exc_info=failed)
    assert said.getvalue().startswith("it failed\n")
    assert (error.__name__ in said.getvalue()) == traced
