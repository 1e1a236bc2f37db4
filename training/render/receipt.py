"""Renders one receipt: its truth, its words with boxes and roles, its transcript as an engine would cut it, and its picture."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from PIL import Image

from extractor.ocr.transcript import Box, Fragment, Line, Transcript
from training.render.assemble import lay_out
from training.render.camera import Pose, aim
from training.render.fonts import FONTS, fonts_for
from training.render.ink import draw
from training.render.noise import OcrNoise
from training.render.plan import Plan, make_plan
from training.render.rows import Face, Role
from training.render.sheet import PlacedWord, Sheet, place
from training.render.style import INKS, Style
from training.render.truth import truth_of

_ENGINE = "rendered"
_PAD = 0.1  # of the height, by which engines box wider than the ink


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` of a fragment's text and what they are."""

    start: int
    end: int
    role: Role


@dataclass(frozen=True)
class LabelledFragment:
    """A fragment as an engine gives it, with the role of each of its pieces. `row` counts printed rows from the top."""

    fragment: Fragment
    spans: tuple[Span, ...]
    row: int


@dataclass(frozen=True)
class RenderedReceipt:
    """A receipt and all there is to know about it; the picture is drawn when first asked for.

    Attributes:
        words: Every printed word with its box in the picture, in print order.
        pose: Where the paper lies in the picture.
    """

    name: str
    plan: Plan
    sheet: Sheet
    pose: Pose
    ink: str
    words: tuple[PlacedWord, ...]

    @cached_property
    def image(self) -> Image.Image:
        """The picture, RGB."""
        return draw(self.sheet, self.pose, self.ink, self.plan.seed)

    @cached_property
    def truth(self) -> dict[str, Any]:
        """What is printed, as a ground-truth object; see `truth.truth_of`."""
        return truth_of(self.plan, self.words, self.name)

    def labelled(self, noise: OcrNoise | None = None, seed: int = 0) -> list[LabelledFragment]:
        """The text as an engine cuts it, each piece with its role; `noise` adds slips, drawn from `seed`."""
        rng = Random(f"{self.plan.seed}:{seed}:ocr")
        is_unknown = noise is not None and rng.random() < noise.unknown_script
        gap_px = self.sheet.character_px * (rng.uniform(1.6, 2.6) if noise else 2.0)
        pad = self.words[0].box.height * _PAD
        found = []
        for flat in _cut(self.sheet.words, gap_px, noise, rng):
            if noise is not None and rng.random() < noise.lost_fragment:
                continue
            pieces = [noise.text(rng, word.text, is_unknown=is_unknown) if noise else word.text for word in flat]
            fragment = _join(flat, pieces, noise, rng)
            if not fragment[0]:
                continue
            tight = self.pose.box(Box.around([word.box for word in flat]))
            box = Box(tight.left - pad, tight.top, tight.right + pad, tight.bottom)
            is_changed = pieces != [word.text for word in flat]
            confidence = noise.confidence(rng, is_changed=is_changed) if noise else 1.0
            found.append(
                LabelledFragment(Fragment(fragment[0], noise.box(rng, box) if noise else box, confidence), fragment[1], flat[0].row)
            )
        return found

    def transcript(self, noise: OcrNoise | None = None, seed: int = 0) -> Transcript:
        """The text in printed rows; perfect without `noise`."""
        lines: dict[int, list[Fragment]] = {}
        for piece in self.labelled(noise, seed):
            lines.setdefault(piece.row, []).append(piece.fragment)
        ordered = tuple(Line(tuple(sorted(fragments, key=lambda each: each.box.left))) for _, fragments in sorted(lines.items()))
        return Transcript(ordered, self.pose.width, self.pose.height, _ENGINE)


def _cut(words: Iterable[PlacedWord], gap_px: float, noise: OcrNoise | None, rng: Random) -> list[list[PlacedWord]]:
    """Words gathered into fragments: neighbours on a row with less than `gap_px` between them."""
    found: list[list[PlacedWord]] = []
    for word in words:
        before = found[-1][-1] if found else None
        if before is not None and before.row == word.row:
            near = word.box.left - before.box.right < gap_px
            if noise is not None and not word.is_glued:
                near = (near and rng.random() >= noise.split) or (not near and rng.random() < noise.joined_columns)
            if near or word.is_glued:
                found[-1].append(word)
                continue
        found.append([word])
    return found


def _join(words: list[PlacedWord], pieces: list[str], noise: OcrNoise | None, rng: Random) -> tuple[str, tuple[Span, ...]]:
    """The fragment's text and the spans of its pieces; with noise some spaces are lost."""
    text, spans = "", []
    for word, piece in zip(words, pieces, strict=True):
        if not piece:
            continue
        is_lost = noise is not None and noise.loses_space(rng, text, piece)
        if text and not word.is_glued and not is_lost:
            text += " "
        spans.append(Span(len(text), len(text) + len(piece), word.role))
        text += piece
    return text, tuple(spans)


def _choose_face(rng: Random, text: str) -> Face:
    """A font that can draw all of `text`; mono fonts three times as often, as on paper."""
    names = fonts_for(text)
    if not names:
        message = f"No font draws every character of this receipt: {''.join(sorted(set(text)))}"
        raise ValueError(message)
    weights = [3 if FONTS[name].is_mono else 1 for name in names]
    return Face(rng.choices(names, weights)[0], rng.choice((20, 22, 24, 26)))


def render(seed: int | str | Random, style: Style | None = None, *, name: str = "") -> RenderedReceipt:
    """The receipt of this seed; equal for an equal seed and style on every machine with the same pinned packages.

    Args:
        seed: A number or text, or a generator that a seed is drawn from.
        style: What is fixed; everything else is drawn.
        name: File name that goes into the truth; made from the seed where empty.
    Raises:
        ConfigError: A font package is missing.
        FileNotFoundError: The style names a country without a table.
    """
    style = style or Style()
    key = f"{seed.getrandbits(64):016x}" if isinstance(seed, Random) else str(seed)
    plan = make_plan(key, style)
    rng = Random(f"{key}:render")
    ink = style.ink or rng.choices(INKS, (2, 4, 1.5, 1.5, 4))[0]
    probe = Face("noto_sans" if plan.language_code != "th" else "noto_thai", 20)
    text = "".join(cell.text for row in lay_out(plan, probe)[0] for cell in row.cells)
    face = _choose_face(rng, text)
    rows, columns = lay_out(plan, face)
    sheet = place(rows, face, columns, leading=rng.uniform(1.12, 1.6), margin_columns=rng.uniform(1.0, 4.0))
    pose = aim(rng, sheet, ink, style.tilt_degrees)
    words = tuple(PlacedWord(word.text, pose.box(word.box), word.role, word.row, word.is_glued) for word in sheet.words)
    return RenderedReceipt(name or f"{plan.country.code.lower()}-{key}.jpg", plan, sheet, pose, ink, words)
