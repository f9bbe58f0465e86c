import base64
import io
import re

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from tasks.report.page import Html, badge, contact_sheet, figure, page, png_data_uri, svg, table


def bars(heights: list[float]) -> Figure:
    drawing = Figure(figsize=(4, 2))
    axes = drawing.subplots()
    axes.bar(range(len(heights)), heights, label="a < b")
    axes.legend()
    return drawing


def test_a_drawing_is_the_same_bytes_again_and_takes_the_ink_of_the_page():
    assert svg(bars([1, 2])) == svg(bars([1, 2]))
    assert "http" not in svg(bars([1, 2]))
    assert "currentColor" in svg(bars([1, 2]))
    assert "#000000" not in svg(bars([1, 2]))


def test_two_drawings_of_a_page_share_no_id_and_every_reference_leads_somewhere():
    one, other = svg(bars([1, 2])), svg(bars([2, 1]))
    ids = [re.findall(r'\bid="([^"]+)"', drawing) for drawing in (one, other)]
    assert not set(ids[0]) & set(ids[1])
    for drawing, known in zip((one, other), ids, strict=True):
        assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', drawing)) <= set(known)


def test_text_is_escaped_and_html_is_not():
    text = table(("<a>",), [("<b>",), (Html("<i>x</i>"),), (badge("<c>", "good"),)])
    assert [mark in text for mark in ("<a>", "<b>", "<c>")] == [False, False, False]
    assert "<i>x</i>" in text
    assert "<title>&lt;t&gt;</title>" in page("<t>", "")
    assert "&lt;u&gt;" in page("t", "", banner="<u>")
    assert "&lt;v&gt;" in contact_sheet([(np.zeros((2, 2), np.uint8), "<v>")])


def test_a_table_of_facts_has_no_head_and_names_its_rows():
    text = table((), [("source", "sample")])
    assert "<thead>" not in text
    assert "<th>source</th><td>sample</td>" in text


def test_a_face_survives_as_png():
    face = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    uri = png_data_uri(face)
    decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
    np.testing.assert_array_equal(decoded, face)
    assert f'<img src="{uri}"' in figure(uri, "a face")
