import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from model.predicting import NetworkError, five_crops, load_network, milliseconds_per_face, predict
from model.training.augmentation import warp
from tests.model.tiny import noise, tiny


def test_a_saved_network_says_the_same_when_loaded(tmp_path: Path):
    network, faces = tiny(), noise(5)
    network.save(tmp_path / "model.keras")
    probabilities = predict(load_network(tmp_path / "model.keras"), faces, batch_size=2)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (5, 7)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(probabilities, network(faces), atol=1e-6)


def test_batches_and_repetition_change_nothing():
    network, faces = tiny(), noise(33)
    at_once = predict(network, faces, batch_size=64, flip=True)
    np.testing.assert_array_equal(predict(network, faces, batch_size=64, flip=True), at_once)
    np.testing.assert_allclose(predict(network, faces, batch_size=4, flip=True), at_once, atol=1e-6)


def test_flip_says_the_same_of_a_face_and_of_its_mirror_image():
    network, faces = tiny(), noise(6)
    mirrored = faces[:, :, ::-1]
    plain = predict(network, faces, batch_size=8)
    assert not np.allclose(plain, predict(network, mirrored, batch_size=8), atol=1e-4)
    flipped = predict(network, faces, batch_size=8, flip=True)
    np.testing.assert_allclose(flipped, predict(network, mirrored, batch_size=8, flip=True), atol=1e-6)


def test_turned_views_are_the_face_and_both_turns_of_it_each_mirrored_too():
    network, faces = tiny(), noise(3)
    angle = np.full(3, np.radians(8.0))
    turns = [warp(faces, sign * angle, np.ones(3), np.zeros((3, 2))) for sign in (0, -1, 1)]
    each = np.stack([predict(network, view, batch_size=8) for turn in turns for view in (turn, turn[:, :, ::-1])])
    assert each.std(axis=0).max() > 1e-3
    averaged = predict(network, faces, batch_size=8, flip=True, turn=8.0)
    np.testing.assert_allclose(averaged, each.mean(axis=0), atol=1e-6)
    assert not np.allclose(averaged, predict(network, faces, batch_size=8, flip=True), atol=1e-4)


def test_ten_crop_is_the_average_of_ten_predictions():
    network, faces = tiny(flat=True), noise(3)
    views = [view for crop in five_crops(faces) for view in (crop, crop[:, :, ::-1])]
    assert len(views) == 10
    each = np.stack([predict(network, view, batch_size=8) for view in views])
    assert each.std(axis=0).max() > 1e-3
    np.testing.assert_allclose(predict(network, faces, batch_size=8, ten_crop=True), each.mean(axis=0), atol=1e-6)


def test_crops_are_the_corners_and_the_middle_of_44_pixels_with_their_edge_repeated():
    face = noise(1)
    corner, *_, last, middle = five_crops(face)
    assert corner.shape == (1, 48, 48)
    assert corner.dtype == np.uint8
    np.testing.assert_array_equal(corner[0, 2:-2, 2:-2], face[0, :44, :44])
    np.testing.assert_array_equal(last[0, 2:-2, 2:-2], face[0, 4:, 4:])
    np.testing.assert_array_equal(middle[0, 2:-2, 2:-2], face[0, 2:-2, 2:-2])
    assert (corner[0, :2, :2] == face[0, 0, 0]).all()


def test_no_faces_give_no_probabilities():
    assert predict(tiny(), noise(0), batch_size=8).shape == (0, 7)


def test_faces_of_another_size_are_refused():
    with pytest.raises(NetworkError, match="takes faces of 48 × 48 pixels, found 32 × 32"):
        predict(tiny(), noise(2, side=32), batch_size=8)


def test_outputs_that_are_no_probabilities_are_refused():
    network = tiny()
    network.get_layer("logits").set_weights([np.full((8, 7), np.nan), np.zeros(7)])
    with pytest.raises(NetworkError, match="sum to 1"):
        predict(network, noise(2), batch_size=8)


def broken(path: Path, kind: str) -> None:
    if kind == "text":
        path.write_text("not a network")
    elif kind == "truncated":
        tiny().save(path)
        path.write_bytes(path.read_bytes()[:-5000])
    elif kind == "another archive":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("hello.txt", "hello")
    elif kind == "empty":
        path.write_bytes(b"")


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "truncated", "another archive"])
def test_what_is_no_network_is_one_sentence(tmp_path: Path, kind: str):
    path = tmp_path / "model.keras"
    broken(path, kind)
    with pytest.raises(NetworkError) as error:
        load_network(path)
    assert "\n" not in str(error.value)


def test_a_network_of_another_shape_is_refused(tmp_path: Path):
    faces = keras.Input((48, 48), dtype="uint8")
    keras.Model(faces, layers.Dense(10)(layers.Flatten()(faces))).save(tmp_path / "ten.keras")
    with pytest.raises(NetworkError, match=r"from \(None, 48, 48\) to \(None, 10\)"):
        load_network(tmp_path / "ten.keras")


def test_code_hidden_in_a_file_does_not_run(tmp_path: Path):
    faces = keras.Input((48, 48), dtype="uint8")
    network = keras.Model(faces, layers.Lambda(lambda x: x[:, 0, :7], output_shape=(7,))(faces))
    network.save(tmp_path / "lambda.keras")
    with pytest.raises(NetworkError, match="not a network that can be loaded"):
        load_network(tmp_path / "lambda.keras")


def test_one_face_takes_a_measurable_time():
    assert 0 < milliseconds_per_face(tiny(), noise(1)[0], repeats=3) < 10_000
