"""The network by ONNX Runtime: as Keras has it, from the registry or a file, and without TensorFlow."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from model.exporting import onnx_probabilities, quantize_onnx
from model.labels import LABELS
from serve.predictor import Predictor, champion, open_predictor
from tasks.common.errors import UserError
from tasks.registry.champion import crown, publish
from tasks.registry.manifest import FILES, INT8, list_files
from tasks.registry.stores import open_store
from tests.conftest import ROOT


def faces(n, side=48):
    return np.random.default_rng(0).integers(0, 256, (n, side, side), dtype=np.uint8)


def test_it_says_what_the_network_says_however_many_faces_there_are(network):
    predictor = open_predictor(network)
    for n in (0, 1, 63, 150):
        said = predictor.predict(faces(n))
        assert said.shape == (n, len(LABELS))
        assert said.dtype == np.float32
    np.testing.assert_allclose(said, onnx_probabilities(network, faces(150)), atol=1e-6)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("side", [20, 96, 131])
def test_faces_of_another_size_are_brought_to_its_own(network, side):
    predictor = open_predictor(network)
    how = cv2.INTER_AREA if side > 48 else cv2.INTER_LINEAR
    fitted = np.stack([cv2.resize(face, (48, 48), interpolation=how) for face in faces(3, side)])
    np.testing.assert_array_equal(predictor.predict(faces(3, side)), predictor.predict(fitted))


def published(folder, network, labels=LABELS, quick=None):
    store = open_store(str(folder / "registry"))
    for name in ("v1", "v2"):
        made = folder / name
        made.mkdir()
        for file in FILES:
            (made / file).write_text(f"{file} of {name}")
        (made / "model.onnx").write_bytes(network.read_bytes())
        (made / "labels.json").write_text(json.dumps({"labels": labels}))
        if quick:
            (made / INT8).write_bytes(quick.read_bytes())
        publish(store, made, list_files(name, "abc", made))
    return store


def test_the_champion_and_other_versions_come_from_the_registry_if_they_are_whole(network, tmp_path):
    store = published(tmp_path, network)
    with pytest.raises(UserError, match="there is no champion yet; `make promote` makes one"):
        champion(store)
    crown(store, "v2", kind="promotion", who="A", when=datetime.now(UTC), reason="r")
    assert champion(store).version == "v2"
    assert champion(store, version="v1").version == "v1"
    np.testing.assert_array_equal(champion(store).predict(faces(2)), open_predictor(network).predict(faces(2)))
    damaged = tmp_path / "registry" / "versions" / "v2" / "model.onnx"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"versions/v2/model\.onnx: not what the manifest says; refused"):
        champion(store)
    with pytest.raises(UserError, match="v9: no such version; there are v1, v2"):
        champion(store, version="v9")


def test_a_version_looks_in_integers_where_it_has_them_and_in_float32_where_that_is_wished(network, tmp_path):
    quantize_onnx(network, faces(32), tmp_path / "quick.onnx")
    store = published(tmp_path, network, quick=tmp_path / "quick.onnx")
    crown(store, "v1", kind="promotion", who="A", when=datetime.now(UTC), reason="r")
    quick, exact = open_predictor(tmp_path / "quick.onnx"), open_predictor(network)
    np.testing.assert_array_equal(champion(store).predict(faces(5)), quick.predict(faces(5)))
    np.testing.assert_array_equal(champion(store, float32=True).predict(faces(5)), exact.predict(faces(5)))
    assert (quick.predict(faces(5)) != exact.predict(faces(5))).any()
    (tmp_path / "registry" / "versions" / "v1" / INT8).unlink()
    with pytest.raises(UserError, match=r"model-int8\.onnx: missing; refused"):
        champion(store)


def test_a_version_with_other_labels_is_refused(network, tmp_path):
    store = published(tmp_path, network, labels=[*LABELS[1:], LABELS[0]])
    crown(store, "v1", kind="promotion", who="A", when=datetime.now(UTC), reason="r")
    with pytest.raises(UserError, match="v1 has other labels than angry, disgust"):
        champion(store)


def test_files_that_hold_no_such_network_are_refused(network, tmp_path):
    with pytest.raises(UserError, match=r"none\.onnx: No such file or directory; expected the model\.onnx"):
        open_predictor(tmp_path / "none.onnx")
    with pytest.raises(UserError, match=r"half: not a network that ONNX Runtime can load") as raised:
        Predictor(network.read_bytes()[:1000], "half")
    assert "\n" not in str(raised.value)


def test_serving_needs_neither_tensorflow_nor_keras(network):
    code = (
        "import sys; from pathlib import Path; import numpy as np; import serve.image, serve.video, serve.camera\n"
        "from serve.predictor import open_predictor\n"
        f"open_predictor(Path({str(network)!r})).predict(np.zeros((1, 48, 48), np.uint8))\n"
        "print(*sorted({'tensorflow', 'keras', 'jax', 'torch', 'sklearn', 'dvc', 'prefect'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
