"""What OCR does to perfect text: look-alikes, lost accents and spaces, missed pieces, shaky boxes. No picture is needed."""

import unicodedata
from dataclasses import dataclass
from random import Random

from extractor.ocr.interface import Box

# Pairs that small OCR models were seen to mix up; each is read either way.
_ALIKE = (
    ("0", "O"), ("1", "l"), ("1", "I"), ("5", "S"), ("8", "B"), ("l", "I"), ("l", "i"), ("6", "G"), ("2", "Z"), ("7", "1"), ("9", "g"),
    ("c", "e"), ("a", "o"), ("n", "u"), ("u", "v"), ("E", "F"), ("C", "G"), ("t", "f"), (".", ","), (":", ";"), (":", "."), ("-", "—"),
    ("$", "S"), ("€", "E"), ("£", "E"), ("%", "8"), ("x", "×"), (":", "："), ("(", "（"), (")", "）"), ("Q", "O"), ("D", "O"), ("R", "A"),
)  # fmt: skip
_SLIPS: dict[str, tuple[str, ...]] = {}
for _one, _two in _ALIKE:
    _SLIPS[_one] = (*_SLIPS.get(_one, ()), _two)
    _SLIPS[_two] = (*_SLIPS.get(_two, ()), _one)
# Engines without Greek answer with the Latin letters of the same shape.
_GREEK = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαβγεικνορτυχω", "ABEZHIKMNOPTYXaByeikvoptuxw")


@dataclass(frozen=True)
class OcrNoise:
    """How badly text is read; probabilities. `latin_only`: accents and Greek come out as the nearest Latin letters."""

    slip: float = 0.01
    lost_space: float = 0.04
    lost_edge: float = 0.01
    lost_fragment: float = 0.01
    joined_columns: float = 0.03
    split: float = 0.03
    shake: float = 0.06
    latin_only: float = 0.2

    @classmethod
    def drawn(cls, rng: Random) -> "OcrNoise":
        """A noise level as pictures differ in it: mostly slight, sometimes bad."""
        level = rng.choice((0.2, 0.5, 1.0, 1.0, 2.0, 4.0))
        return cls(
            0.006 * level, 0.03 * level, 0.006 * level, 0.006 * level, 0.03, 0.02 * level, 0.05 * level, rng.choice((0.0, 0.0, 0.3, 1.0))
        )

    def text(self, rng: Random, text: str, *, is_latin: bool) -> str:
        """`text` as it might be read; never longer by more than nothing, possibly empty."""
        if is_latin:
            parts = unicodedata.normalize("NFD", text.translate(_GREEK))
            text = "".join(part for part in parts if not "\u0300" <= part <= "\u036f")
        read = "".join(rng.choice(_SLIPS[mark]) if mark in _SLIPS and rng.random() < self.slip * 2 else mark for mark in text)
        if len(read) > 2 and rng.random() < self.lost_edge:
            read = read[1:] if rng.random() < 0.5 else read[:-1]
        return read

    def box(self, rng: Random, box: Box) -> Box:
        """The box, moved and resized a little, in proportion to its height."""
        wobble = box.height * self.shake
        left, top, right, bottom = (edge + rng.gauss(0, wobble) for edge in box)
        return Box(left, top, max(right, left + 1), max(bottom, top + 1))

    def confidence(self, rng: Random, *, is_changed: bool) -> float:
        return round(min(1.0, max(0.3, rng.gauss(0.88 if is_changed else 0.97, 0.06 if is_changed else 0.02))), 3)
