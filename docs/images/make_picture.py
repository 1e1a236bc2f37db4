"""Draws the README's picture: a rendered sample receipt, where each value was read, and what `receipts show` prints about it.

usage: python docs/images/make_picture.py        (in the repository's root, with the extra `samples` installed)
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from training.render.fonts import load_font
from training.samples import sample_set

SAMPLE = "us-diner.jpg"
SHOWN_UNTIL = "tax"  # the heading of `receipts show` at which the picture ends
PAPER, INK, FAINT, ACCEPTED = (24, 27, 33), (222, 226, 232), (110, 118, 130), (126, 211, 133)
MARK = (214, 40, 90)
FIELDS = ("merchant_name", "merchant_address", "transaction_date", "transaction_time", "subtotal", "tax_total", "total", "items")
MARGIN, FONT_PX, LINE_PX = 28, 17, 23


def _receipts(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"RECEIPTS_INBOX__SETTLE_SECONDS": "0", "RECEIPTS_LOG__LEVEL": "ERROR"}
    command = [sys.executable, "-m", "extractor", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout  # noqa: S603


def _read(folder: Path) -> tuple[Image.Image, dict[str, Any], list[str]]:
    """The sample as an image, its record, and the lines that `receipts show` prints about it."""
    path = folder / SAMPLE
    path.write_bytes(next(sample.data for sample in sample_set() if sample.name == SAMPLE))
    _receipts(folder, "init")
    _receipts(folder, "add", SAMPLE)
    _receipts(folder, "watch", "--once")
    record = json.loads(_receipts(folder, "list", "--format", "jsonl"))
    lines = [line.rstrip() for line in _receipts(folder, "show", record["receipt_id"]).splitlines()]
    end = next((number for number, line in enumerate(lines) if line == SHOWN_UNTIL), len(lines))
    return Image.open(path).convert("RGB"), record, [line for line in lines[:end] if line]


def _marked(image: Image.Image, record: dict[str, Any]) -> Image.Image:
    """The receipt with a box around each value that is named in `FIELDS`."""
    drawing = ImageDraw.Draw(image)
    for path, evidence in record["fields"].items():
        if path.partition("[")[0] in FIELDS and (box := evidence["box"]):
            left, top, right, bottom = (side * size for side, size in zip(box, (*image.size, *image.size), strict=True))
            drawing.rounded_rectangle((left - 4, top - 2, right + 4, bottom + 2), radius=4, outline=MARK, width=2)
    return image


def _terminal(lines: list[str]) -> Image.Image:
    """The lines as a terminal shows them."""
    regular, bold = load_font("source_code", FONT_PX), load_font("source_code", FONT_PX, bold=True)
    width = round(regular.getlength("0" * max(map(len, lines)))) + 2 * MARGIN
    page = Image.new("RGB", (width, LINE_PX * (len(lines) + 2) + 2 * MARGIN), PAPER)
    drawing = ImageDraw.Draw(page)
    drawing.text((MARGIN, MARGIN), "$ receipts show", font=bold, fill=FAINT)
    for number, line in enumerate(lines, start=2):
        place, is_rule = (MARGIN, MARGIN + number * LINE_PX), set(line.strip()) <= {"─"}
        if number == 2:
            status, _, rest = line.partition("  ")
            drawing.text(place, status, font=bold, fill=ACCEPTED)
            drawing.text((place[0] + regular.getlength(status + "  "), place[1]), rest, font=regular, fill=INK)
        else:
            drawing.text(place, line, font=regular, fill=FAINT if is_rule else INK)
    return page


def main() -> None:
    """Writes `show.png` beside this file."""
    with tempfile.TemporaryDirectory() as folder:
        image, record, lines = _read(Path(folder))
    receipt, terminal = _marked(image, record), _terminal(lines)
    receipt = receipt.resize((round(receipt.width * terminal.height / receipt.height), terminal.height), Image.Resampling.LANCZOS)
    picture = Image.new("RGB", (receipt.width + terminal.width, terminal.height), PAPER)
    picture.paste(receipt, (0, 0))
    picture.paste(terminal, (receipt.width, 0))
    picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        Path(__file__).with_name("show.png"), optimize=True
    )


if __name__ == "__main__":
    main()
