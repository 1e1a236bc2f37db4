"""Options of a rendered receipt; those that are not set are drawn from the seed."""

from dataclasses import dataclass

IMAGE_TYPES = ("clean", "scan", "faint", "dots", "photo")
KINDS = ("grocery", "restaurant", "shop", "fuel")


@dataclass(frozen=True)
class RenderOptions:
    """Properties of one receipt; `None` lets the seed decide.

    Attributes:
        country: ISO 3166 code, one of `locale_tables.country_codes()`.
        kind: One of `KINDS`.
        image_type: One of `IMAGE_TYPES`: digital original, flatbed scan, faded thermal print, dot matrix print, phone photo.
        prints_time: Whether the receipt prints a time.
        tilt_degrees: Clockwise rotation of the paper in the image.
        max_items: Items bought at most; discounts and deposits on them come on top.
        date_format: A format such as `{d:02}/{m:02}/{y}` instead of one of the country's formats.
    """

    country: str | None = None
    kind: str | None = None
    image_type: str | None = None
    prints_time: bool | None = None
    tilt_degrees: float | None = None
    date_format: str | None = None
    max_items: int | None = None
