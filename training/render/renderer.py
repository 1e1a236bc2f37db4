"""Renders one receipt: ground truth, words with boxes and roles, a transcript as an OCR engine would return it, and the image."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from PIL import Image

from extractor.ocr.transcript import Box, Fragment, Line, Transcript
from training.render.assemble import lay_out
from training.render.fonts import FONTS, fonts_for
from training.render.ground_truth import truth_of
from training.render.noise import OcrNoise
from training.render.options import IMAGE_TYPES, RenderOptions
from training.render.perspective import Pose, random_pose
from training.render.placement import PlacedWord, Sheet, place
from training.render.plan import Plan, make_plan
from training.render.rasteriser import draw
from training.render.rows import Face, Role

_ENGINE = "rendered"
_PAD = 0.1  # OCR engines return boxes wider than the glyphs by this part of the height


@dataclass(frozen=True)
class Span:
    """Role of the characters `start` to `end` of a fragment's text."""

    start: int
    end: int
    role: Role


@dataclass(frozen=True)
class LabelledFragment:
    """A fragment as an OCR engine returns it, with the role of each part. `row` counts printed rows from the top."""

    fragment: Fragment
    spans: tuple[Span, ...]
    row: int


@dataclass(frozen=True)
class RenderedReceipt:
    """A receipt with its ground truth; the image is drawn on first access.

    Attributes:
        words: Every printed word with its box in the image, in reading order.
        pose: Position of the paper in the image.
    """

    name: str
    plan: Plan
    sheet: Sheet
    pose: Pose
    image_type: str
    words: tuple[PlacedWord, ...]

    @cached_property
    def image(self) -> Image.Image:
        """The image, RGB."""
        return draw(self.sheet, self.pose, self.image_type, self.plan.seed)

    @cached_property
    def truth(self) -> dict[str, Any]:
        """Ground truth; see `ground_truth.truth_of`."""
        return truth_of(self.plan, self.words, self.name)

    def labelled(self, noise: OcrNoise | None = None, seed: int = 0) -> list[LabelledFragment]:
        """Return the text in fragments, each part with its role; `noise` adds OCR errors drawn from `seed`."""
        rng = Random(f"{self.plan.seed}:{seed}:ocr")
        is_unknown = noise is not None and rng.random() < noise.unknown_script
        gap_px = self.sheet.character_px * (rng.uniform(1.6, 2.6) if noise else 2.0)
        pad = self.words[0].box.height * _PAD
        found = []
        for flat in _group(self.sheet.words, gap_px, noise, rng):
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
        """Return the text in printed rows; without errors if `noise` is `None`."""
        lines: dict[int, list[Fragment]] = {}
        for piece in self.labelled(noise, seed):
            lines.setdefault(piece.row, []).append(piece.fragment)
        ordered = tuple(Line(tuple(sorted(fragments, key=lambda each: each.box.left))) for _, fragments in sorted(lines.items()))
        return Transcript(ordered, self.pose.width, self.pose.height, _ENGINE)


def _group(words: Iterable[PlacedWord], gap_px: float, noise: OcrNoise | None, rng: Random) -> list[list[PlacedWord]]:
    """Group words into fragments: neighbours on a row with a gap of less than `gap_px`."""
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
    """Return the text of a fragment and the spans of its words; with noise some spaces are lost."""
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
    """Choose a font that has every character of `text`; monospaced fonts are three times as likely, as on paper."""
    names = fonts_for(text)
    if not names:
        message = f"No font draws every character of this receipt: {''.join(sorted(set(text)))}"
        raise ValueError(message)
    weights = [3 if FONTS[name].is_mono else 1 for name in names]
    return Face(rng.choices(names, weights)[0], rng.choice((20, 22, 24, 26)))


def render(seed: int | str | Random, options: RenderOptions | None = None, *, name: str = "") -> RenderedReceipt:
    """Render the receipt of this seed. Equal seed and options give an equal receipt on every machine with the same pinned packages.

    Args:
        seed: A number or text, or a generator from which a seed is drawn.
        options: Properties that are fixed; all others are drawn.
        name: File name for the ground truth; by default made from country and seed.
    Raises:
        ConfigError: A font package is missing.
        FileNotFoundError: The options name a country without a table.
    """
    options = options or RenderOptions()
    key = f"{seed.getrandbits(64):016x}" if isinstance(seed, Random) else str(seed)
    plan = make_plan(key, options)
    rng = Random(f"{key}:render")
    image_type = options.image_type or rng.choices(IMAGE_TYPES, (2, 4, 1.5, 1.5, 4))[0]
    probe = Face("noto_sans" if plan.language_code != "th" else "noto_thai", 20)
    text = "".join(cell.text for row in lay_out(plan, probe)[0] for cell in row.cells)
    face = _choose_face(rng, text)
    rows, columns = lay_out(plan, face)
    sheet = place(rows, face, columns, leading=rng.uniform(1.12, 1.6), margin_columns=rng.uniform(1.0, 4.0))
    pose = random_pose(rng, sheet, image_type, options.tilt_degrees)
    words = tuple(PlacedWord(word.text, pose.box(word.box), word.role, word.row, word.is_glued) for word in sheet.words)
    return RenderedReceipt(name or f"{plan.country.code.lower()}-{key}.jpg", plan, sheet, pose, image_type, words)
