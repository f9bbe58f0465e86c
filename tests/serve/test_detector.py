"""Detectors behind one interface: the cascade, and whatever has YuNet's inputs and outputs."""

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from serve.detector import Box, Haar, open_detector
from tasks.common.errors import UserError

STRIDES = (8, 16, 32)


@pytest.fixture(scope="module")
def whites(tmp_path_factory):
    """A network with YuNet's outputs that sees a face, 64 wide and 96 high, around each white square of 32 pixels."""
    nodes, outputs = [], []
    constants = {"axes": [1], "flat": [1, -1, 1], "grey": 240.0, "nothing": 0.0, "one": 1.0}
    constants |= {"bbox": [[[0.5, 0.5, np.log(2), np.log(3)]]], "kps": np.zeros((1, 1, 10))}

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    for stride in STRIDES:
        node("AveragePool", ["input"], f"pooled_{stride}", kernel_shape=[stride] * 2, strides=[stride] * 2)
        node("ReduceMean", [f"pooled_{stride}", "axes"], f"mean_{stride}", keepdims=1)
        node("Reshape", [f"mean_{stride}", "flat"], f"cells_{stride}")
        node("Sub", [f"cells_{stride}", "grey"], f"above_{stride}")
        node("Clip", [f"above_{stride}", "nothing", "one"], f"white_{stride}")
        node("Mul", [f"white_{stride}", "one" if stride == 32 else "nothing"], f"score_{stride}")
        node("Mul", [f"white_{stride}", "nothing"], f"none_{stride}")
        for name in ("cls", "obj"):
            node("Identity", [f"score_{stride}"], f"{name}_{stride}")
        for name in ("bbox", "kps"):
            node("Add", [f"none_{stride}", name], f"{name}_{stride}")
    for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        outputs += [helper.make_tensor_value_info(f"{name}_{s}", TensorProto.FLOAT, [1, None, width]) for s in STRIDES]
    held = [
        numpy_helper.from_array(np.asarray(value, np.int64 if name in ("axes", "flat") else np.float32), name)
        for name, value in constants.items()
    ]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 320, 320])
    model = helper.make_model(
        helper.make_graph(nodes, "whites", [given], outputs, held), opset_imports=[helper.make_opsetid("", 18)]
    )
    model.ir_version = 8
    path = tmp_path_factory.mktemp("whites") / "whites.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("size", [(320, 320), (640, 480), (500, 300)])
def test_a_network_with_yunet_s_outputs_finds_squares_around_its_boxes_the_largest_first(whites, size):
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    for left, top in ((96, 64), (256, 192)):
        picture[top : top + 32, left : left + 32] = 255
    found = open_detector(str(whites), 48).find(picture)
    assert sorted(found) == [Box(64, 32, 96, 96), Box(224, 160, 96, 96)]
    assert open_detector(str(whites), 97).find(picture) == []


@pytest.mark.parametrize(("left", "top"), [(0, 128), (288, 128), (128, 0), (0, 0)])
def test_a_face_at_the_rim_is_cut_as_the_square_that_was_found_and_not_stretched(whites, left, top):
    picture = np.random.default_rng(0).integers(0, 100, (320, 320, 3), dtype=np.uint8)
    picture[top : top + 32, left : left + 32] = 255
    (box,) = open_detector(str(whites), 48).find(picture)
    assert box == (left - 32, top - 32, 96, 96)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    np.testing.assert_array_equal(box.cut(grey), np.pad(grey, 32, mode="edge")[top : top + 96, left : left + 96])


@given(st.builds(Box, *[st.integers(-70, 70)] * 2, *[st.integers(1, 80)] * 2))
def test_what_is_cut_is_as_large_as_its_box_or_nothing_where_that_is_off_the_picture(box):
    grey = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    around = np.pad(grey, 150, mode="edge")
    on = -box.width < box.left < 60 and -box.height < box.top < 40
    top, left = box.top + 150, box.left + 150
    expected = around[top : top + box.height, left : left + box.width] if on else grey[:0, :0]
    np.testing.assert_array_equal(box.cut(grey), expected)


def test_a_file_that_is_no_such_network_is_said_in_a_sentence(tmp_path, network):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(UserError, match=r"broken\.onnx: not a YuNet that OpenCV can load"):
        open_detector(str(broken), 48)
    with pytest.raises(UserError, match="--min-face: found 0, expected 1 pixel or more"):
        open_detector("haar", 0)
    with pytest.raises(UserError, match=r"model\.onnx: not a YuNet"):
        open_detector(str(network), 48)


def test_a_larger_picture_of_a_larger_face_is_the_same_to_the_cascade(portrait):
    (box,) = Haar(48).find(portrait)
    assert box.overlap(Box(170, 64, 106, 106)) > 0.6
    (twice,) = Haar(96).find(cv2.resize(portrait, None, fx=2, fy=2))
    assert Box(*(value // 2 for value in twice)).overlap(box) > 0.8
