"""The top of a receipt: who sold, what the paper is called, and when; also printed at the foot where the layout says so."""

from random import Random

from training.render.plan import Plan
from training.render.rows import Role, Roll, Run, label
from training.render.shop import digits


def lay_merchant(roll: Roll, plan: Plan) -> None:
    """Brand, legal entity, address, phone and tax id, each as this receipt shows them."""
    rng = plan.rng("head")
    shop, place = plan.shop, plan.layout.merchant_place
    say = plan.voice.say
    _above(roll, plan)
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
        _tax_id(roll, plan, rng)
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
        _tax_id(roll, plan, rng)
    if plan.rng("site").random() < 0.15:
        roll.centre(Run(plan.site))


def _above(roll: Roll, plan: Plan) -> None:
    """What sometimes stands above the shop's name and is not it: a greeting, a copy mark, a name that somebody stamped."""
    rng = plan.rng("above")
    if rng.random() < 0.1:
        roll.centre(Run(plan.word("welcome")))
    elif rng.random() < 0.06:
        roll.centre(Run(rng.choice(("COPY", "DUPLICATE", "REPRINT", rng.choice(plan.country.surnames)))), size=rng.choice((1.0, 1.5)))


def _tax_id(roll: Roll, plan: Plan, rng: Random) -> None:
    if not plan.shop.tax_id or rng.random() < 0.2:
        return
    name, _, value = plan.shop.tax_id.rpartition("|")
    runs = [label(plan.voice.say(name.rstrip(" :")) + rng.choice((" ", ": ", " : ")))] if name else []
    roll.centre(*runs, Run(value, Role.TAX_ID))


def lay_title(roll: Roll, plan: Plan) -> None:
    """What this paper calls itself, such as `TAX INVOICE`; nothing on some."""
    rng = plan.rng("title")
    titles = plan.country.titles or plan.words.all("title")
    if rng.random() < (0.75 if plan.country.titles else 0.3):
        roll.blank(0.4)
        roll.centre(Run(plan.voice.say(rng.choice(titles))), size=rng.choice((1.0, 1.0, 1.3)), bold=rng.random() < 0.4)
        roll.blank(0.4)


def _stamp(plan: Plan) -> tuple[Run, ...]:
    """Date and time as one piece of text."""
    date = Run(plan.voice.date(plan.moment), Role.DATE)
    if plan.rng("weekday").random() < 0.06:
        return (
            Run(plan.weekday + " "),
            date,
            *((Run(" "), Run(plan.voice.time(plan.moment), Role.TIME)) if plan.layout.prints_time else ()),
        )
    if not plan.layout.prints_time:
        return (date,)
    time = Run(plan.voice.time(plan.moment), Role.TIME)
    gap = plan.rng("stamp").choice((" ", " ", "  ", "   ", " - ", ", "))
    return (time, Run(gap), date) if plan.rng("stamp order").random() < 0.1 else (date, Run(gap), time)


def lay_meta(roll: Roll, plan: Plan) -> None:
    """Date, time, receipt number, cashier and table, in this receipt's arrangement."""
    rng = plan.rng("meta")
    end = rng.choice((":", ": ", " : ", " "))
    number = Run(digits(rng, rng.choice(("######", "####", "####/###", "%#-######", "@##-######", "%###########"))), Role.NUMBER)
    named = (label(plan.word("number") + end), number)
    cashier = (label(plan.word("cashier") + end), Run(plan.voice.say(rng.choice((*plan.country.surnames, "01", "12", "3", "1004")))))
    table = (label(plan.word("table") + end), Run(str(rng.randint(1, 48)))) if plan.shop.kind == "restaurant" else None
    stamp = _stamp(plan)
    style = plan.layout.meta_style
    if style == "joined":
        roll.left(*stamp, *([Run("  "), number] if rng.random() < 0.5 else []))
        roll.left(*named)
    elif style == "pair":
        roll.pair(*((named, stamp) if rng.random() < 0.5 else (stamp, named)))
        roll.pair(cashier, table or (Run(f"POS {rng.randint(1, 9)}"),))
    elif style == "labelled":
        _labelled(roll, [named, *_dated(plan, end, rng), cashier, *([table] if table else [])], rng)
    elif rng.random() < 0.5:
        roll.centre(*stamp)
    else:
        roll.centre(Run(digits(rng, "####")), Run(" "), number, Run("  "), *stamp)
    if style in ("joined", "loose") and rng.random() < 0.5:
        roll.left(*cashier, *([Run("   "), *table] if table else []))


def _dated(plan: Plan, end: str, rng: Random) -> list[tuple[Run, ...]]:
    if plan.layout.prints_time and rng.random() < 0.5:
        date = (label(plan.word("date") + end), Run(plan.voice.date(plan.moment), Role.DATE))
        return [date, (label(plan.word("time") + end), Run(plan.voice.time(plan.moment), Role.TIME))]
    return [(label(plan.word("date") + end), *_stamp(plan))]


def _labelled(roll: Roll, lines: list[tuple[Run, ...]], rng: Random) -> None:
    """One `label: value` a row; in some shops the values stand in a column or at the right edge."""
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
