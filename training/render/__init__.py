"""The project's own receipt renderer: invented receipts of many countries with exact truth, transcripts and pictures.

```text
countries/*.toml  languages/*.toml   money, dates, taxes, places; words as printed and wares: edit these to add a country
tables.py                            the tables, typed
money.py shop.py purchase.py         content: a shop and a purchase whose amounts close; nothing of print
style.py voice.py plan.py            what a caller may fix; how a register prints text; all decisions of one receipt
rows.py head.py items.py totals.py foot.py assemble.py    layout: rows of text, each run with its role
fonts.py sheet.py camera.py ink.py   print: words with boxes, the pose of the paper, the pixels
truth.py noise.py receipt.py         what is printed, as ground truth; what OCR makes of it; `render`
```
Every part draws from a generator of its own, seeded by the receipt's seed and the part's name: a picture is drawn only
when asked for, and a change to one part leaves the others as they were.
"""

from training.render.noise import OcrNoise
from training.render.receipt import LabelledFragment, RenderedReceipt, Span, render
from training.render.rows import Role
from training.render.style import INKS, KINDS, Style
from training.render.tables import country_codes

__all__ = ["INKS", "KINDS", "LabelledFragment", "OcrNoise", "RenderedReceipt", "Role", "Span", "Style", "country_codes", "render"]
