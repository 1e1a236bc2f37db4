"""Wrong fields of an evaluation as one HTML file: each receipt with boxes around the values read, what was wanted, and why it failed."""

import base64
import html
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw

from extractor.evaluation.scoring import Miss, Score
from extractor.schemas.record import Record

# Longer side of a picture on the sheet: print is legible, and a receipt takes about 100 kB.
SHEET_SIDE_PX = 900

JPEG_QUALITY = 70

_STYLE = """
body{font:15px/1.4 system-ui,sans-serif;margin:2rem;color:#222}
article{display:flex;gap:1.5rem;align-items:flex-start;border-top:1px solid #ccc;padding:1.5rem 0}
img{max-width:45vw;border:1px solid #ddd}
table{border-collapse:collapse}
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0}
.accepted{color:#b00020;font-weight:600}
"""


def write_contact_sheet(
    path: Path, score: Score, records: Mapping[str, Record], page_images: Callable[[str], Sequence[Image.Image]]
) -> None:
    """Write the sheet as one file that contains its pictures and loads nothing when it is opened.

    Args:
        records: Records by image path as in the labels; images without a record are listed without a picture.
        page_images: Returns the upright pages that a record's boxes refer to, by the same path.
    """
    parts = [f"<!doctype html><meta charset=utf-8><title>Misses</title><style>{_STYLE}</style>"]
    parts.append(f"<h1>{len(score.misses)} misses on {score.receipts} receipts</h1>")
    for image, misses in groupby(score.misses, key=lambda miss: miss.image):
        record = records.get(image)
        parts.append(_article(image, list(misses), record, page_images(image) if record else ()))
    path.write_text("\n".join(parts), encoding="utf-8")


def _article(image: str, misses: Sequence[Miss], record: Record | None, pages: Sequence[Image.Image]) -> str:
    pictures = "".join(f'<img alt="" src="{_data_uri(_drawn(page, number, misses, record))}">' for number, page in enumerate(pages))
    status = f"<p class={html.escape(record.status)}>{html.escape(record.status)}</p>" if record else "<p>could not be read</p>"
    rows = "".join(_row(miss) for miss in misses)
    head = "<tr><th>field<th>wanted<th>read<th>why</tr>"
    return f"<article><div>{pictures}</div><div><h2>{html.escape(image)}</h2>{status}<table>{head}{rows}</table></div></article>"


def _row(miss: Miss) -> str:
    cells = (miss.name, miss.wanted, miss.got or "nothing", miss.cause)
    return "<tr>" + "".join(f"<td>{html.escape(cell)}" for cell in cells) + "</tr>"


def _drawn(page: Image.Image, number: int, misses: Iterable[Miss], record: Record | None) -> Image.Image:
    """The page, reduced, with a box around the value read for each wrong field."""
    small = page.copy()
    small.thumbnail((SHEET_SIDE_PX, SHEET_SIDE_PX))
    pen = ImageDraw.Draw(small)
    for miss in misses:
        evidence = record.fields.get(miss.path) if record else None
        if evidence is None or evidence.box is None or evidence.page != number:
            continue
        left, top, right, bottom = evidence.box
        corners = (left * small.width - 2, top * small.height - 2, right * small.width + 2, bottom * small.height + 2)
        pen.rectangle(corners, outline="red", width=2)
        pen.text((corners[0], max(0, corners[1] - 12)), miss.name, fill="red")
    return small


def _data_uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
