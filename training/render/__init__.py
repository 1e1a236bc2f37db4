"""Renderer of synthetic receipts: receipts of many countries with exact ground truth, transcripts and images.

```text
countries/*.toml  languages/*.toml   currencies, date formats, taxes, places; labels and products: edit these to add a country
locale_tables.py                     the tables as typed values
money.py shop.py purchase.py         content: a shop and a purchase whose amounts add up; nothing about the layout
options.py text_format.py plan.py    what a caller may fix; how a cash register formats text; all choices for one receipt
rows.py *_block.py assemble.py       layout: rows of text, in which each run of text has a role
fonts.py placement.py perspective.py rasteriser.py    words with boxes, the position of the paper in the image, the pixels
ground_truth.py noise.py renderer.py what is printed; simulated OCR errors; `render`
```
Each part draws from its own random generator, seeded by the receipt's seed and the part's name. An image is therefore drawn only when it is
requested, and a change to one part leaves the others as they were.
"""

from training.render.locale_tables import country_codes
from training.render.noise import OcrNoise
from training.render.options import IMAGE_TYPES, KINDS, RenderOptions
from training.render.renderer import LabelledFragment, RenderedReceipt, Span, render
from training.render.rows import Role

__all__ = [
    "IMAGE_TYPES",
    "KINDS",
    "LabelledFragment",
    "OcrNoise",
    "RenderOptions",
    "RenderedReceipt",
    "Role",
    "Span",
    "country_codes",
    "render",
]
