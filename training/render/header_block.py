"""Rows about the merchant, the title of the document, and its date and number; some layouts print them at the foot."""

from random import Random

from training.render.plan import Plan
from training.render.rows import Role, Roll, Run, label
from training.render.shop import fill_pattern


def add_merchant(roll: Roll, plan: Plan) -> None:
    """Add brand, legal entity, address, telephone and tax ID, as far as this receipt prints them."""
    rng = plan.rng("head")
    shop, place = plan.shop, plan.layout.merchant_place
    say = plan.text.format
    _add_above(roll, plan)
    brand = Run(say(shop.brand), Role.MERCHANT)
    if place == "logo":
        roll.centre(
            Run(shop.brand, Role.MERCHANT), size=rng.choice((1.6, 2.0, 2.4)), bold=True, graphic=rng.choice(("text", "text", "inverse"))
        )
    else:
        named = roll.left if plan.rng("name").random() < 0.15 else roll.centre
        named(brand, size=rng.choice((1.0, 1.2, 1.5)) if place == "top" else 1.0, bold=rng.random() < 0.4)
    if plan.rng("slogan").random() < 0.15:
        roll.centre(Run(plan.word("slogan")))
    if shop.legal != shop.brand and rng.random() < 0.5:
        roll.centre(Run(say(shop.legal), Role.LEGAL))
    if rng.random() < 0.15:
        roll.centre(Run(say(f"{plan.words.word('branch')} {shop.branch}")))
    aligned = roll.centre if rng.random() < 0.8 else roll.left
    tax_id_first = rng.random() < 0.3
    if tax_id_first:
        _add_tax_id(roll, plan, rng)
    if plan.layout.prints_address:
        lines = [say(line) for line in shop.address]
        if rng.random() < 0.2:
            lines = [", ".join(lines)]
        for line in lines:
            aligned(Run(line, Role.ADDRESS))
    if shop.phone and rng.random() < 0.7:
        gap = rng.choice((" ", ": ", ":"))
        aligned(label(plan.word("phone") + gap), Run(shop.phone, Role.PHONE))
    if not tax_id_first:
        _add_tax_id(roll, plan, rng)
    if plan.rng("site").random() < 0.15:
        roll.centre(Run(plan.site))


def _add_above(roll: Roll, plan: Plan) -> None:
    """Add, on some receipts, a row above the merchant's name that is not the name: a greeting, `COPY`, a stamped surname."""
    rng = plan.rng("above")
    if rng.random() < 0.1:
        roll.centre(Run(plan.word("welcome")))
    elif rng.random() < 0.06:
        roll.centre(Run(rng.choice(("COPY", "DUPLICATE", "REPRINT", rng.choice(plan.country.surnames)))), size=rng.choice((1.0, 1.5)))


def _add_tax_id(roll: Roll, plan: Plan, rng: Random) -> None:
    if not plan.shop.tax_id or rng.random() < 0.2:
        return
    name, _, value = plan.shop.tax_id.rpartition("|")
    runs = [label(plan.text.format(name.rstrip(" :")) + rng.choice((" ", ": ", " : ")))] if name else []
    roll.centre(*runs, Run(value, Role.TAX_ID))


def add_title(roll: Roll, plan: Plan) -> None:
    """Add the title of the document, such as `TAX INVOICE`; some receipts have none."""
    rng = plan.rng("title")
    titles = plan.country.titles or plan.words.all("title")
    if rng.random() < (0.75 if plan.country.titles else 0.3):
        roll.blank(0.4)
        roll.centre(Run(plan.text.format(rng.choice(titles))), size=rng.choice((1.0, 1.0, 1.3)), bold=rng.random() < 0.4)
        roll.blank(0.4)


def _timestamp(plan: Plan) -> tuple[Run, ...]:
    """Return date and time as adjacent runs."""
    date = Run(plan.text.date(plan.moment), Role.DATE)
    if plan.rng("weekday").random() < 0.06:
        return (
            Run(plan.weekday + " "),
            date,
            *((Run(" "), Run(plan.text.time(plan.moment), Role.TIME)) if plan.layout.prints_time else ()),
        )
    if not plan.layout.prints_time:
        return (date,)
    time = Run(plan.text.time(plan.moment), Role.TIME)
    gap = plan.rng("stamp").choice((" ", " ", "  ", "   ", " - ", ", "))
    return (time, Run(gap), date) if plan.rng("stamp order").random() < 0.1 else (date, Run(gap), time)


def add_meta(roll: Roll, plan: Plan) -> None:
    """Add date, time, receipt number, cashier and table in the arrangement that this layout asks for."""
    rng = plan.rng("meta")
    end = rng.choice((":", ": ", " : ", " "))
    number = Run(fill_pattern(rng, rng.choice(("######", "####", "####/###", "%#-######", "@##-######", "%###########"))), Role.NUMBER)
    named = (label(plan.word("number") + end), number)
    cashier = (
        label(plan.word("cashier") + end),
        Run(plan.text.format(rng.choice((*plan.country.surnames, "01", "12", "3", "1004")))),
    )
    table = (label(plan.word("table") + end), Run(str(rng.randint(1, 48)))) if plan.shop.kind == "restaurant" else None
    timestamp = _timestamp(plan)
    style = plan.layout.meta_style
    if style == "joined":
        roll.left(*timestamp, *([Run("  "), number] if rng.random() < 0.5 else []))
        roll.left(*named)
    elif style == "pair":
        roll.pair(*((named, timestamp) if rng.random() < 0.5 else (timestamp, named)))
        roll.pair(cashier, table or (Run(f"POS {rng.randint(1, 9)}"),))
    elif style == "labelled":
        _add_labelled(roll, [named, *_dated(plan, end, rng), cashier, *([table] if table else [])], rng)
    elif rng.random() < 0.5:
        roll.centre(*timestamp)
    else:
        roll.centre(Run(fill_pattern(rng, "####")), Run(" "), number, Run("  "), *timestamp)
    if style in ("joined", "loose") and rng.random() < 0.5:
        roll.left(*cashier, *([Run("   "), *table] if table else []))


def _dated(plan: Plan, end: str, rng: Random) -> list[tuple[Run, ...]]:
    if plan.layout.prints_time and rng.random() < 0.5:
        date = (label(plan.word("date") + end), Run(plan.text.date(plan.moment), Role.DATE))
        return [date, (label(plan.word("time") + end), Run(plan.text.time(plan.moment), Role.TIME))]
    return [(label(plan.word("date") + end), *_timestamp(plan))]


def _add_labelled(roll: Roll, lines: list[tuple[Run, ...]], rng: Random) -> None:
    """Add one `label: value` per row; some layouts align the values in a column or at the right edge."""
    rng.shuffle(lines)
    shape = rng.choice(("plain", "column", "edges"))
    widest = max(len(line[0].text.strip(" :")) for line in lines)
    for first, *values in lines:
        if shape == "edges":
            roll.pair((first,), tuple(values))
        elif shape == "column":
            roll.left(label(first.text.strip(" :").ljust(widest) + rng.choice((" : ", " : ", ": "))), *values)
        else:
            roll.left(first if first.text.endswith((" ", ":")) else label(first.text + " "), *values)
