"""The views of a face, counted and named as `predict` makes them."""

from itertools import product

import numpy as np
import pytest

from model.predicting import predict
from tasks.common import paths
from tasks.common.reading import load_params
from tasks.scoring.views import views
from tests.conftest import ROOT

NUMBERS = {"once": 1, "two": 2, "three": 3, "six": 6, "ten": 10, "thirty": 30}


class Counting:
    """A network that counts how often it is asked."""

    input_shape, asked = (None, 48, 48), 0

    def predict_on_batch(self, faces):
        self.asked += 1
        return np.full((len(faces), 7), 1 / 7, np.float32)


@pytest.mark.parametrize(("flip", "turn", "ten_crop"), product((False, True), (0.0, 8.0), (False, True)))
def test_the_sentence_has_as_many_views_as_the_network_sees(flip, turn, ten_crop):
    params = load_params(ROOT / paths.PARAMS).evaluate
    sentence = views(params.model_copy(update={"flip": flip, "turn": turn, "ten_crop": ten_crop}))
    network = Counting()
    predict(network, np.zeros((1, 48, 48), np.uint8), batch_size=1, flip=flip, turn=turn, ten_crop=ten_crop)
    assert NUMBERS[sentence.split("seen ")[1].removeprefix("in ").split()[0].rstrip(",")] == network.asked
    assert ("8°" in sentence, "mirrored" in sentence, "corners" in sentence) == (turn > 0, flip or ten_crop, ten_crop)
