"""Rows below the total: payment, card slip, loyalty points, a second currency, opening hours, closing remarks."""

from datetime import timedelta
from decimal import Decimal

from training.render.money import plain, round_half_up
from training.render.plan import Plan
from training.render.rows import Cell, Role, Roll, Run, label
from training.render.shop import fill_pattern

_RATES = {"EUR": Decimal("1"), "USD": Decimal("1.09"), "GBP": Decimal("0.86")}


def add_payment(roll: Roll, plan: Plan) -> None:
    """Add cash tendered and change, or the card and its number."""
    rng, purchase, money = plan.rng("payment"), plan.purchase, plan.money
    end = plan.layout.label_end
    for voucher in purchase.payments[:-1]:
        roll.pair((Run(plan.text.format(voucher.method) + end, Role.PAYMENT),), (Run(money.total(voucher.amount), Role.TENDERED),))
    payment = purchase.payments[-1]
    if purchase.is_cash:
        roll.pair((label(plan.text.format(payment.method) + end),), (Run(money.total(payment.amount), Role.TENDERED),))
        if purchase.change or rng.random() < 0.4:
            shown = -purchase.change if rng.random() < 0.08 and purchase.change else purchase.change
            roll.pair((label(plan.word("change") + end),), (Run(money.total(shown), Role.CHANGE),))
        return
    method = plan.word("card") if rng.random() < 0.5 else plan.text.format(payment.method)
    roll.pair((Run(method + end, Role.PAYMENT),), (Run(money.total(payment.amount), Role.TENDERED),))
    if rng.random() < 0.5:
        roll.left(Run(plan.text.format(payment.method), Role.PAYMENT), Run(" "), Run(payment.card, Role.CARD))


def add_slip(roll: Roll, plan: Plan) -> None:
    """Add the card terminal's own slip, which repeats amount and date and prints authorisation codes."""
    rng, purchase, money = plan.rng("slip"), plan.purchase, plan.money
    card = purchase.payments[-1]
    roll.blank(0.5)
    roll.centre(Run(plan.word("customer_copy")))
    time = plan.text.time(plan.moment) if plan.layout.prints_time else ""
    number = (Run(card.method, Role.PAYMENT), Run(" "), Run(card.card, Role.CARD))
    lines: list[tuple[tuple[Run, ...], ...]] = [
        ((label("Terminal ID"),), (Run(fill_pattern(rng, "########")),)),
        ((label("AID"),), (Run(fill_pattern(rng, "A000000###%0%0")),)),
        ((label(plan.word("auth")),), (Run(fill_pattern(rng, "######")),)),
        (number,),
        ((Run(plan.text.date(plan.moment), Role.DATE),), (Run(time, Role.TIME),)),
        ((label(plan.word("slip_amount")),), (Run(money.total(card.amount), Role.TENDERED),)),
    ]
    for line in rng.sample(lines, rng.randint(3, len(lines))):
        if len(line) == 1:
            roll.left(*line[0])
        else:
            roll.pair(*line)
    roll.centre(Run(plan.word("approved")))
    if plan.country.has_tip_line and not purchase.tip and plan.shop.kind == "restaurant":
        roll.blank(0.6)
        roll.left(label(plan.word("tip") + ": "), Run("_" * 14))
        roll.blank(0.6)
        roll.left(label(plan.word("total") + ": "), Run("_" * 14))
    if plan.layout.has_signature:
        roll.blank(1.2)
        roll.left(Run("X" + "_" * (roll.columns // 2)))
        roll.left(label(plan.word("signature")))


def add_converted(roll: Roll, plan: Plan) -> None:
    """Add the total converted to another currency, with the rate. It is not the total of this receipt."""
    rng, purchase = plan.rng("converted"), plan.purchase
    other = rng.choice([code for code in _RATES if code != plan.country.currency])
    rate = (_RATES[other] / plan.country.scale * Decimal(rng.randint(90, 110)) / 100).quantize(Decimal("0.000001"))
    value = round_half_up(Decimal(purchase.total).scaleb(2 - plan.money.digits) * rate)
    text = plain(value, 2).replace(".", plan.money.decimal)
    roll.pair((label(f"{plan.word('converted')} {other}"),), (Run(text, Role.CONVERTED),))
    if rng.random() < 0.6:
        roll.left(Run(f"1 {plan.country.currency} = {rate.normalize():f} {other}".replace(".", plan.money.decimal)))


def add_points(roll: Roll, plan: Plan) -> None:
    """Add the membership number, loyalty points and savings."""
    rng = plan.rng("points")
    roll.pair((label(plan.word("member")),), (Run(fill_pattern(rng, "########")),))
    roll.pair((label(plan.word("points")),), (Run(str(plan.purchase.total // 10 ** (plan.money.digits + 1))),))
    if rng.random() < 0.3:
        saved = sum(-entry.amount for entry in plan.purchase.entries if entry.kind == "discount") + plan.purchase.discount
        if saved:
            roll.pair((label(plan.word("saved")),), (Run(plan.money.total(saved)),))


def add_repeat(roll: Roll, plan: Plan) -> None:
    """Add the total a second time in large type."""
    roll.blank(0.5)
    roll.centre(label(plan.word("total") + " "), Run(plan.money.total(plan.purchase.total), Role.TOTAL), size=1.3)


def add_closing(roll: Roll, plan: Plan) -> None:
    """Add opening hours, closing remarks, small print and a barcode."""
    rng = plan.rng("closing")
    if plan.layout.shows_hours:
        roll.blank(0.5)
        roll.centre(Run(plan.word("hours")))
        for text in rng.choice((("{} 08:00 - 20:00",), ("{} 7-21", "{} 8.00-13.00"), ("{} 9:00-18:30", "{} 10:00-14:00"))):
            roll.centre(Run(plan.text.format(text.format(rng.choice(plan.words.all("days"))))))
    if rng.random() < 0.15:
        later = plan.moment + timedelta(days=rng.choice((7, 14, 30, 90, 365)))
        (roll.centre if rng.random() < 0.6 else roll.left)(
            label(plan.word("valid_until") + rng.choice((" ", ": "))), Run(plan.text.date(later))
        )
    roll.blank(0.5)
    for text in rng.sample(plan.words.all("thanks"), min(len(plan.words.all("thanks")), rng.choice((0, 1, 1, 2, 3)))):
        roll.centre(Run(plan.text.format(text)))
    if rng.random() < 0.12 and "terms" in plan.text.language.words:
        aligned = rng.choice((roll.left, roll.centre))
        aligned(Run(plan.text.format(rng.choice(plan.words.all("terms")))))
    if plan.layout.shows_bars:
        roll.blank(0.5)
        code = fill_pattern(rng, "%###########")
        roll.add(Cell((Run(code),), roll.columns / 2, "centre"), size=2.2, graphic="bars")
        roll.centre(Run(code))
