"""Simulated OCR errors, without an image: confused characters, lost accents and spaces, missed fragments, inexact boxes.

The kinds of errors were taken from the output of a small OCR model on rendered receipts.
"""

import unicodedata
from dataclasses import dataclass
from random import Random

from extractor.ocr.transcript import Box

# Pairs that small OCR models were observed to confuse, in both directions.
_ALIKE = (
    ("0", "O"), ("1", "l"), ("1", "I"), ("5", "S"), ("8", "B"), ("l", "I"), ("l", "i"), ("6", "G"), ("2", "Z"), ("7", "1"), ("9", "g"),
    ("c", "e"), ("a", "o"), ("n", "u"), ("u", "v"), ("E", "F"), ("C", "G"), ("t", "f"), (".", ","), (":", ";"), (":", "."), ("-", "—"),
    ("$", "S"), ("€", "E"), ("£", "E"), ("%", "8"), ("x", "×"), (":", "："), ("(", "（"), (")", "）"), (",", "，"), ("Q", "O"), ("D", "O"),
    ("R", "A"), ("º", "°"), ("W", "w"), ("V", "v"), ("1", "₁"),
)  # fmt: skip
_CONFUSIONS: dict[str, tuple[str, ...]] = {}
for _one, _two in _ALIKE:
    _CONFUSIONS[_one] = (*_CONFUSIONS.get(_one, ()), _two)
    _CONFUSIONS[_two] = (*_CONFUSIONS.get(_two, ()), _one)
# Engines without a model for a script return Latin letters of similar shape.
_SHAPES = str.maketrans(
    {
        pair[0]: pair[1:]
        for pair in (
            "ΑA ΒB ΕE ΖZ ΗH Θ0 ΙI ΚK ΛA ΜM ΝN ΞE ΟO ΠN ΡP ΤT ΥY ΧX ΨY ΩO ΓF ΔA αa βB γy εe ιi ηn κk λA μu νv οo πn ρp τt υu χx ωw ςc σo "
            "АA Бb ВB Гr ДA ЕE ЖX З3 ИN ЙN КK ЛN МM НH ОO ПN РP СC ТT УY ФΦ ХX ЦU Ч4 ШW ЩW Ъb Ьb ЮO ЯR "
            "аa б6 вB гr дg еe жx з3 иn йn кk лn мM нH оo пn рp сc тT уy фΦ хx цu ч4 шw щw ъb ьb юo яR "
            "กn ขv คn งv จo ชv ซv ญn ดa ตn ถn ทn ธs นu บu ปU ผw พw ฟW ภn มu ยe รs ลa วo สa ศa หH อo ฮa ะ: า1 เl แll โl ใl ไl ๆa"
        ).split()
    }
)
_TIGHT = ":.,*@&)("


@dataclass(frozen=True)
class OcrNoise:
    """Rates of OCR errors; all are probabilities except `box_jitter`.

    Attributes:
        confusion: Of a character that has a similar one.
        lost_accent: Of a letter with an accent.
        lost_space: Between two words; beside marks such as `:` four times as likely.
        gained_space: A space before a closing mark.
        lost_edge: First or last letter of a word.
        lost_fragment: A whole fragment.
        joined_columns: Two neighbours on a row as one fragment, however far apart.
        split: A fragment is split at a gap between words.
        box_jitter: Standard deviation of box edges, relative to the height of the box.
        unknown_script: Greek, Cyrillic and Thai are returned as similar Latin letters; drawn once for each receipt.
    """

    confusion: float = 0.01
    lost_accent: float = 0.08
    lost_space: float = 0.03
    gained_space: float = 0.02
    lost_edge: float = 0.005
    lost_fragment: float = 0.005
    joined_columns: float = 0.01
    split: float = 0.01
    box_jitter: float = 0.06
    unknown_script: float = 0.9

    @classmethod
    def random(cls, rng: Random) -> "OcrNoise":
        """Draw a noise level: mostly slight, sometimes strong."""
        level = rng.choice((0.1, 0.3, 0.6, 1.0, 1.0, 2.0, 4.0))
        return cls(
            confusion=0.008 * level,
            lost_accent=min(1.0, 0.1 * level),
            lost_space=0.03 * level,
            gained_space=0.02 * level,
            lost_edge=0.005 * level,
            lost_fragment=0.006 * level,
            joined_columns=0.008 * level,
            split=0.01 * level,
            box_jitter=0.04 + 0.03 * level,
        )

    def text(self, rng: Random, text: str, *, is_unknown: bool) -> str:
        """Return a word with errors, possibly empty; `is_unknown` if the engine has no model for its script."""
        if is_unknown:
            text = "".join(
                part for part in text.translate(_SHAPES) if not "\u0e30" < part < "\u0e4f" and unicodedata.category(part) != "Mn"
            )
        read = "".join(self._character(rng, mark) for mark in text)
        if len(read) > 2 and rng.random() < self.lost_edge:
            read = read[1:] if rng.random() < 0.5 else read[:-1]
        if len(read) > 1 and read[-1] in ":)" and rng.random() < self.gained_space:
            read = f"{read[:-1]} {read[-1]}"
        return read

    def _character(self, rng: Random, mark: str) -> str:
        if mark in _CONFUSIONS:
            return rng.choice(_CONFUSIONS[mark]) if rng.random() < self.confusion else mark
        if ord(mark) > 127 and rng.random() < self.lost_accent:
            return unicodedata.normalize("NFD", mark)[0]
        return mark

    def loses_space(self, rng: Random, before: str, after: str) -> bool:
        """Draw whether the space between two words is lost."""
        is_tight = before[-1:] in _TIGHT or after[:1] in _TIGHT
        return rng.random() < self.lost_space * (4 if is_tight else 1)

    def box(self, rng: Random, box: Box) -> Box:
        """Move each edge of the box by a random distance in proportion to its height."""
        deviation = box.height * self.box_jitter
        left, top, right, bottom = (edge + rng.gauss(0, deviation) for edge in box)
        return Box(left, top, max(right, left + 1), max(bottom, top + 1))

    def confidence(self, rng: Random, *, is_changed: bool) -> float:
        return round(min(1.0, max(0.3, rng.gauss(0.9 if is_changed else 0.975, 0.06 if is_changed else 0.02))), 3)
