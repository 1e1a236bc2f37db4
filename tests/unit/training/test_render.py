"""The receipt renderer: amounts add up, ground truth matches the print, boxes enclose the glyphs, and seeds are reproducible."""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.render import IMAGE_TYPES, OcrNoise, RenderOptions, Role, country_codes, render
from training.render.locale_tables import load_country, load_language
from training.render.money import MoneyFormat, plain, to_step
from training.render.plan import make_plan
from training.render.purchase import Purchase
from training.render.text_format import TextFormat

SEEDS = range(40)


def assert_closes(purchase: Purchase) -> None:
    """Entries, subtotal, tax, total and payments agree to the last minor unit."""
    assert purchase.subtotal == sum(entry.amount for entry in purchase.entries)
    on_top = purchase.tax if purchase.tax_mode == "on_top" else 0
    assert purchase.before_rounding == purchase.subtotal - purchase.discount + purchase.service + on_top + purchase.tip
    assert purchase.total == purchase.before_rounding + purchase.rounding
    assert purchase.total + purchase.change == sum(payment.amount for payment in purchase.payments)
    assert purchase.change >= 0
    assert purchase.total > 0
    for line in purchase.taxes:
        exact = line.net * line.rate.percent / 100
        assert abs(exact - line.tax) <= 1
    if purchase.tax_mode == "inside" and purchase.taxes:
        assert sum(line.gross for line in purchase.taxes) <= purchase.subtotal - purchase.discount + purchase.service


@given(st.integers(min_value=0, max_value=10**9), st.sampled_from(country_codes()))
def test_every_purchase_closes(seed: int, country: str) -> None:
    """Amounts add up exactly for every seed and country."""
    purchase = make_plan(str(seed), RenderOptions(country=country)).purchase
    assert_closes(purchase)


@given(st.integers(min_value=0, max_value=10**9), st.sampled_from(("CH", "MY", "SE", "ID", "NZ")))
def test_rounded_totals_are_payable_in_coins(seed: int, country: str) -> None:
    """A cash total is a multiple of the smallest coin, and rounding moves it by at most half of one."""
    plan = make_plan(str(seed), RenderOptions(country=country))
    step = plan.country.cash_step
    if plan.purchase.is_cash or plan.country.rounds_cards:
        assert plan.purchase.total % step == 0
        assert abs(plan.purchase.rounding) * 2 <= step
    else:
        assert plan.purchase.rounding == 0


@given(st.integers(min_value=-(10**7), max_value=10**7), st.sampled_from((1, 5, 10, 25, 50, 100)))
def test_cash_rounding_goes_to_the_nearest_coin(amount: int, step: int) -> None:
    """The rounded amount is the nearest multiple of the coin."""
    rounded = to_step(amount, step)
    assert rounded % step == 0
    assert abs(rounded - amount) * 2 <= step


@pytest.mark.parametrize("seed", SEEDS)
def test_truth_is_what_is_printed(seed: int) -> None:
    """Amounts of the ground truth add up, and each value is printed in a word of its role."""
    receipt = render(seed)
    truth, money = receipt.truth, receipt.plan.money
    printed: dict[Role, list[str]] = {}
    for word in receipt.words:
        printed.setdefault(word.role, []).append(word.text)

    def shown(value: str, role: Role) -> bool:
        text = money.number(abs(Decimal(value)))
        return text in " ".join(printed.get(role, []))

    assert shown(truth["total"], Role.TOTAL)
    for key, role in (("subtotal", Role.SUBTOTAL), ("tip", Role.TIP), ("service", Role.SERVICE), ("discount", Role.DISCOUNT)):
        if truth[key] is not None:
            assert shown(truth[key], role) or (key == "subtotal" and shown(truth[key], Role.NET))
        else:
            assert role not in printed
    assert (truth["tax"] is None) == (Role.TAX not in printed)
    assert (truth["date"] is None) == (Role.DATE not in printed)
    assert (truth["time"] is None) == (Role.TIME not in printed)
    rows = {word.row for word in receipt.words if word.role is Role.ITEM_TOTAL}
    assert len(truth["line_items"]) == len(rows)
    for item in truth["line_items"]:
        assert shown(item["total"], Role.ITEM_TOTAL)
        assert not Counter(item["description"].split()) - Counter(printed[Role.ITEM])
    entries = sum((Decimal(item["total"]) for item in truth["line_items"]), Decimal(0))
    assert plain(receipt.plan.purchase.subtotal, money.digits) == str(entries)
    assert set(truth["merchant"].split()) <= set(printed[Role.MERCHANT])


@pytest.mark.parametrize("country", country_codes())
def test_every_country_can_be_drawn(country: str) -> None:
    """Every country has a font for its words, and every kind of shop has products."""
    for kind in ("grocery", "restaurant", "shop", "fuel"):
        receipt = render(f"{country}-{kind}", RenderOptions(country=country, kind=kind))
        assert receipt.truth["currency"] == load_country(country).currency
        assert receipt.truth["total"]


@pytest.mark.parametrize("image_type", IMAGE_TYPES)
def test_words_lie_inside_the_picture_on_ink(image_type: str) -> None:
    """Boxes are inside the image and contain strokes, so pixels and boxes are transformed alike."""
    receipt = render(11, RenderOptions(country="GB", kind="shop", image_type=image_type))
    picture = np.asarray(receipt.image.convert("L"), dtype=float)
    assert receipt.image.size == (receipt.pose.width, receipt.pose.height)
    contrasts = []
    for word in receipt.words:
        assert word.box.left >= 0
        assert word.box.top >= 0
        assert word.box.right <= receipt.pose.width
        assert word.box.bottom <= receipt.pose.height
        inside = picture[int(word.box.top) : int(word.box.bottom) + 1, int(word.box.left) : int(word.box.right) + 1]
        if any(mark.isalnum() for mark in word.text):
            contrasts.append(float(inside.max() - inside.min()))
    assert len(contrasts) > 10
    assert min(contrasts) > 25


@pytest.mark.parametrize("seed", SEEDS)
def test_no_two_words_of_a_row_overlap(seed: int) -> None:
    """Words of a row never overlap."""
    rows: dict[int, list[tuple[float, float, str]]] = {}
    for word in render(seed).sheet.words:
        rows.setdefault(word.row, []).append((word.box.left, word.box.right, word.text))
    for words in rows.values():
        words.sort()
        for (_, right, text), (left, _, following) in pairwise(words):
            assert left >= right - 1, f"{text} runs into {following}"


@pytest.mark.parametrize("seed", [1, 2])
def test_same_seed_same_receipt(seed: int) -> None:
    """Rendering is reproducible in ground truth, text and pixels; another seed gives another receipt."""
    one, two, other = render(seed), render(seed), render(seed + 100)
    assert one.truth == two.truth
    assert one.transcript(OcrNoise()).text == two.transcript(OcrNoise()).text
    assert one.image.tobytes() == two.image.tobytes()
    assert one.truth != other.truth


def test_a_generator_is_a_seed_too() -> None:
    """Two draws from one generator differ; equal generators draw equal receipts."""
    rng = Random(5)  # noqa: S311 - nothing secret
    first, second = render(rng), render(rng)
    assert first.truth != second.truth
    assert render(Random(5)).truth == first.truth  # noqa: S311


@pytest.mark.parametrize("seed", SEEDS)
def test_transcripts_keep_words_and_roles(seed: int) -> None:
    """Without noise the transcript has every printed word; with noise the spans still cover the text without overlap."""
    receipt = render(seed)
    text = receipt.transcript().text.replace(" ", "").replace("\n", "")
    assert all(word.text in text for word in receipt.words)
    for piece in receipt.labelled(OcrNoise(confusion=0.1, lost_space=0.3, gained_space=0.3, joined_columns=0.2), seed=seed):
        assert all(first.end <= second.start for first, second in pairwise(piece.spans))
        left_over = "".join(
            mark for index, mark in enumerate(piece.fragment.text) if not any(span.start <= index < span.end for span in piece.spans)
        )
        assert not left_over.strip()


def test_noise_changes_text() -> None:
    """Strong noise changes text and loses fragments; without noise the text is as printed."""
    receipt = render(3)
    clean, noisy = receipt.labelled(), receipt.labelled(OcrNoise(confusion=0.3, lost_fragment=0.2))
    assert [piece.fragment.text for piece in clean] != [piece.fragment.text for piece in noisy]
    assert len(noisy) < len(clean)
    assert all(piece.fragment.confidence == 1.0 for piece in clean)


def test_no_time_is_printed_where_the_style_says_so() -> None:
    """A receipt without a time has none anywhere, and its truth says so."""
    for seed in range(10):
        receipt = render(seed, RenderOptions(prints_time=False))
        assert receipt.truth["time"] is None
        assert Role.TIME not in {word.role for word in receipt.words}


@pytest.mark.parametrize("seed", range(25))
def test_labels_name_no_other_currency(seed: int) -> None:
    """A Swiss receipt in German, French or Italian never prints its amounts as euros."""
    receipt = render(seed, RenderOptions(country="CH"))
    if not receipt.plan.layout.shows_converted:
        text = receipt.transcript().text
        assert "EUR" not in text
        assert "€" not in text


def test_country_without_a_table_is_an_error() -> None:
    """An unknown country code raises an error."""
    with pytest.raises(FileNotFoundError):
        render(1, RenderOptions(country="XX"))


@pytest.mark.parametrize("code", ["en", "de", "el", "th", "tr", "bg", "pl", "ru", "uk", "sr"])
def test_languages_have_every_part(code: str) -> None:
    """Twelve months, products and shop names for each kind of shop, and every English key but the small print."""
    language = load_language(code)
    assert len(language.months) == 12
    assert set(language.products) == set(language.shop_words) == {"grocery", "restaurant", "shop", "fuel"}
    assert set(language.words) >= set(load_language("en").words) - {"terms"}


def _text_format(country: str, **choices: object) -> TextFormat:
    found = load_country(country)
    given_choices = {
        "is_upper": True,
        "is_plain": False,
        "date_format": "{d:02}/{m:02}/{yy:02}",
        "time_format": "{h}:{M:02} {ap}",
    } | choices
    return TextFormat(found, load_language(found.languages[0]), **given_choices)  # type: ignore[arg-type]


def test_capitals_follow_the_language() -> None:
    """Turkish keeps its dots, Greek drops its accents, and an old character set drops all of them."""
    assert _text_format("TR").format("indirim") == "İNDİRİM"
    assert _text_format("GR").format("Σύνολο") == "ΣΥΝΟΛΟ"
    assert _text_format("PL", is_plain=True).format("Żółty") == "ZOLTY"


def test_dates_are_printed_in_the_countrys_years() -> None:
    """Thailand counts 543 years more; noon and midnight are 12."""
    moment = datetime(2024, 3, 9, 0, 5)  # noqa: DTZ001 - local time on paper
    assert _text_format("TH").date(moment) == "09/03/67"
    assert _text_format("US").time(moment) == "12:05 AM"
    assert _text_format("US").time(moment.replace(hour=12)) == "12:05 PM"


@pytest.mark.parametrize(
    ("minor", "place", "text"),
    [
        (123456, "none", "1'234.56"),
        (-50, "before", "-Fr.0.50"),
        (5, "after_space", "0.05 Fr."),
        (100000000, "before_space", "Fr. 1'000'000.00"),
    ],
)
def test_amounts_are_printed(minor: int, place: str, text: str) -> None:
    """Groups of three, the mark where it belongs, the sign in front."""
    money = MoneyFormat(2, ".", "'", "-{}", "Fr.", "none", "none")
    assert money.amount(minor, place=place) == text


@pytest.mark.parametrize(("code", "order"), [("US", "MDY"), ("GB", "DMY"), ("SE", "YMD"), ("JP", "YMD")])
def test_date_order_is_read_off_the_printed_format(code: str, order: str) -> None:
    """Most formats of a country have its order; a format that the style fixes decides."""
    orders = Counter(render(seed, RenderOptions(country=code)).truth["date_order"] for seed in range(12))
    assert orders.most_common(1)[0][0] == order
    assert render(1, RenderOptions(country=code, date_format="{y}-{m:02}-{d:02}")).truth["date_order"] == "YMD"
