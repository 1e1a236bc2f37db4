"""What a caller may fix about a receipt; everything left open is drawn from the seed."""

from dataclasses import dataclass

INKS = ("clean", "scan", "faint", "dots", "photo")
KINDS = ("grocery", "restaurant", "shop", "fuel")


@dataclass(frozen=True)
class Style:
    """Choices for one receipt; `None` leaves the choice to the seed.

    Attributes:
        country: ISO 3166 code, one of `tables.country_codes()`.
        kind: One of `KINDS`.
        ink: One of `INKS`: crisp print, flatbed scan, worn thermal print, dot matrix, phone photo.
        prints_time: Whether a time is printed.
        tilt_degrees: Rotation of the paper in the picture, clockwise.
        date_format: A format such as `{d:02}/{m:02}/{y}` instead of the country's own.
    """

    country: str | None = None
    kind: str | None = None
    ink: str | None = None
    prints_time: bool | None = None
    tilt_degrees: float | None = None
    date_format: str | None = None
