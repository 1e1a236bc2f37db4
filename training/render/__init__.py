"""The project's own receipt renderer: invented receipts of many countries with exact truth, transcripts and pictures."""

from training.render.noise import OcrNoise
from training.render.receipt import LabelledFragment, RenderedReceipt, Span, render
from training.render.rows import Role
from training.render.style import INKS, KINDS, Style
from training.render.tables import country_codes

__all__ = ["INKS", "KINDS", "LabelledFragment", "OcrNoise", "RenderedReceipt", "Role", "Span", "Style", "country_codes", "render"]
