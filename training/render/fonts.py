"""Fonts from pinned packages with open licences, by size and weight, and the characters that each contains."""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import ImageFont

from extractor.errors import ConfigError

_NOT_DRAWN = "\U0010fffe"  # a noncharacter, which every font draws as its "missing glyph" box


@dataclass(frozen=True)
class FontFile:
    """One font.

    Attributes:
        is_mono: Whether all characters have the same width.
        regular: Axis values of a variable font for the regular weight; empty for a static font. `bold` likewise.
        bold_file: File of the bold weight where that is a separate font.
    """

    package: str
    file: str
    is_mono: bool
    regular: tuple[float, ...] = ()
    bold: tuple[float, ...] = ()
    bold_file: str = ""


FONTS = {
    "roboto_mono": FontFile("fontpkg_roboto_mono", "RobotoMono[wght].ttf", is_mono=True, regular=(400,), bold=(700,)),
    "plex_mono": FontFile("fontpkg_ibm_plex_mono", "IBMPlexMono-Regular.ttf", is_mono=True, bold_file="IBMPlexMono-Bold.ttf"),
    "source_code": FontFile("fontpkg_source_code_pro", "SourceCodePro[wght].ttf", is_mono=True, regular=(450,), bold=(800,)),
    "roboto_condensed": FontFile("fontpkg_roboto_condensed", "RobotoCondensed[wght].ttf", is_mono=False, regular=(400,), bold=(700,)),
    "noto_sans": FontFile("fontpkg_noto_sans", "NotoSans[wdth,wght].ttf", is_mono=False, regular=(450, 90), bold=(800, 90)),
    "noto_narrow": FontFile("fontpkg_noto_sans", "NotoSans[wdth,wght].ttf", is_mono=False, regular=(450, 70), bold=(800, 70)),
    "noto_thai": FontFile("fontpkg_noto_sans_thai", "NotoSansThai[wdth,wght].ttf", is_mono=False, regular=(450, 90), bold=(800, 90)),
}


def _path(font: FontFile, *, bold: bool) -> Path:
    spec = importlib.util.find_spec(font.package)
    if spec is None or spec.origin is None:
        name = font.package.replace("_", "-")
        message = f"The font package {name} is missing. Install the extra that renders samples: pip install -e '.[samples]'"
        raise ConfigError(message)
    return Path(spec.origin).parent / "files" / (font.bold_file if bold and font.bold_file else font.file)


@cache
def load_font(name: str, size_px: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return the font `name` of `FONTS` at this size, with basic layout so that it renders the same on every machine.

    Raises:
        ConfigError: Its package is not installed.
    """
    font = FONTS[name]
    loaded = ImageFont.truetype(str(_path(font, bold=bold)), size_px, layout_engine=ImageFont.Layout.BASIC)
    if font.regular:
        loaded.set_variation_by_axes(list(font.bold if bold else font.regular))
    return loaded


@cache
def can_draw(name: str, character: str) -> bool:
    """Whether the font has a glyph for this character; true for spaces."""
    if character.isspace():
        return True
    font = load_font(name, 32)
    return bytes(font.getmask(character)) != bytes(font.getmask(_NOT_DRAWN))


@cache
def advance_px(name: str, size_px: int, bold: bool, character: str) -> float:  # noqa: FBT001 - a cache key
    """Advance width of a character in pixels. Basic layout applies no kerning, so widths can be summed."""
    return float(load_font(name, size_px, bold=bold).getlength(character))


def fonts_for(text: str) -> list[str]:
    """Return the names of the fonts that have every character of `text`."""
    characters = set(text)
    return [name for name in FONTS if all(can_draw(name, character) for character in characters)]
