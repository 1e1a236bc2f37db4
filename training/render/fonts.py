"""Open fonts from pinned packages, at a size and weight, and which characters each can draw."""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import ImageFont

from extractor.errors import ConfigError

_NOT_DRAWN = "\U0010fffe"  # a code point that no font has: what it draws is the "missing" box


@dataclass(frozen=True)
class FontFile:
    """One font. `is_mono`: every character has the same width; `axes`: how a variable font is set, by weight name."""

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
    """The font `name` of `FONTS` at this size; simple layout, so that it draws the same on every machine.

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
    """Whether the font has this character; spaces always count as drawn."""
    if character.isspace():
        return True
    font = load_font(name, 32)
    return bytes(font.getmask(character)) != bytes(font.getmask(_NOT_DRAWN))


@cache
def advance_px(name: str, size_px: int, bold: bool, character: str) -> float:  # noqa: FBT001 - a cache key
    """How far one character moves the print head, in pixels. The fonts have no kerning in simple layout, so that widths add up."""
    return float(load_font(name, size_px, bold=bold).getlength(character))


def fonts_for(text: str) -> list[str]:
    """Names of the fonts that can draw every character of `text`."""
    characters = set(text)
    return [name for name in FONTS if all(can_draw(name, character) for character in characters)]
