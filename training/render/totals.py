"""Sums: subtotal, discount, service, tax in its many shapes, tip, rounding and the total."""

from training.render.items import count_of
from training.render.plan import Plan
from training.render.purchase import TaxAmount
from training.render.rows import Cell, Role, Roll, Run, label


class Totals:
    """Prints the sums of one receipt on a roll."""

    def __init__(self, roll: Roll, plan: Plan) -> None:
        self._roll, self._plan, self._rng = roll, plan, plan.rng("totals")
        self._upper_rule = self._rng.random() < 0.5
        self._with_mark = self._rng.random() < 0.25
        self._colon = plan.layout.label_end

    def lay(self) -> None:
        """Everything from the subtotal to the total."""
        plan, purchase, layout = self._plan, self._plan.purchase, self._plan.layout
        if layout.shows_count and self._rng.random() < 0.5:
            self._count()
        if layout.shows_subtotal:
            self._line(plan.word("subtotal"), purchase.subtotal, Role.SUBTOTAL)
        if purchase.discount:
            percent = f" {purchase.discount_percent}%" if self._rng.random() < 0.7 else ""
            self._line(plan.word("discount") + percent, -purchase.discount, Role.DISCOUNT)
        if purchase.service:
            percent = f" {plan.money.number(purchase.service_percent, 0)}%" if self._rng.random() < 0.7 else ""
            self._line(plan.word("service") + percent, purchase.service, Role.SERVICE)
        if layout.shows_net:
            self._line(plan.word("net"), purchase.before_rounding - purchase.tax - purchase.tip, Role.NET)
        if layout.tax_place == "before_total":
            self.lay_taxes()
        if purchase.tip:
            self._line(plan.word("tip"), purchase.tip, Role.TIP)
        self._total()
        if layout.shows_count and self._rng.random() < 0.5:
            self._count()

    def lay_taxes(self) -> None:
        """The tax of each rate in this receipt's shape; nothing where it prints none."""
        taxes = self._plan.purchase.taxes
        if taxes:
            {"lines": self._tax_lines, "table": self._tax_table, "sentence": self._tax_sentence, "none": lambda _: None}[
                self._plan.layout.tax_style
            ](taxes)

    # --- sums ------------------------------------------------------------------------------------------------------

    def _line(self, text: str, amount: int, role: Role, *, size: float = 1.0, bold: bool = False, leader: str = "") -> None:
        value: tuple[Run, ...] = (Run(self._plan.money.total(amount), role),)
        if self._with_mark and self._plan.money.on_totals == "none":
            value = (Run(self._plan.money.mark + " ", Role.CURRENCY), *value)
        indent = self._plan.layout.indent
        first = text + self._colon
        if leader:
            room = self._roll.columns - indent - len(first) - len(value[-1].text) - 3
            first += leader * max(0, room) if size == 1 else ""
        self._roll.pair((label(first),), value, indent=indent, size=size, bold=bold)

    def _count(self) -> None:
        count = count_of(self._plan.purchase.entries)
        if self._rng.random() < 0.5:
            self._roll.pair((label(self._plan.word("count") + self._colon),), (Run(str(count)),))
        else:
            self._roll.left(label(self._plan.word("count") + self._rng.choice((": ", " ", " : "))), Run(str(count)))

    def _total(self) -> None:
        plan, purchase, layout = self._plan, self._plan.purchase, self._plan.layout
        shows_rounding = bool(purchase.rounding) or (plan.country.cash_step > 1 and self._rng.random() < 0.3)
        if shows_rounding:
            self._line(plan.word("total"), purchase.before_rounding, Role.BEFORE_ROUNDING)
            self._line(plan.word("rounding"), purchase.rounding, Role.ROUNDING)
        if self._upper_rule:
            self._roll.rule(layout.rule)
        word = plan.word("rounded_total" if shows_rounding else "total")
        if plan.rng("mark in label").random() < 0.2:
            word = f"{word} {plan.rng('mark').choice((plan.money.mark, f'({plan.money.mark})', plan.country.currency))}"
        self._line(word, purchase.total, Role.TOTAL, size=layout.total_size, bold=layout.total_bold, leader=layout.leader)
        if layout.total_size > 1:
            self._roll.blank(0.3)

    # --- tax shapes ------------------------------------------------------------------------------------------------

    def _percent(self, tax: TaxAmount) -> str:
        percent = tax.rate.percent
        places = (
            -int(percent.as_tuple().exponent)
            if percent != percent.to_integral_value()
            else self._plan.rng("places").choice((0, 0, 0, 1, 2))
        )
        return self._plan.money.number(percent, places) + self._plan.rng("percent").choice(("%", "%", " %"))

    def _tax_lines(self, taxes: tuple[TaxAmount, ...]) -> None:
        shape = self._rng.choice(
            ("{name} {percent}", "{name} {percent}", "{name}", "{percent} {name}", "{incl} {name} {percent}", "{name} @ {percent}")
        )
        if self._plan.purchase.tax_mode == "on_top":
            shape = shape.replace("{incl} ", "")
        if len(taxes) > 1 and "{percent}" not in shape:
            shape += " {percent}"
        for tax in taxes:
            text = shape.format(name=self._plan.voice.say(tax.rate.name), percent=self._percent(tax), incl=self._plan.word("including"))
            self._line(text, tax.tax, Role.TAX)
        if len(taxes) > 1 and self._rng.random() < 0.25:
            self._line(self._plan.word("tax_total"), self._plan.purchase.tax, Role.TAX)

    def _tax_table(self, taxes: tuple[TaxAmount, ...]) -> None:
        """Rate, net, tax and gross of each rate in columns, in the order this register has them."""
        plan, money, columns = self._plan, self._plan.money, self._roll.columns
        order = self._rng.choice(
            (("rate", "net", "tax", "gross"), ("rate", "gross", "net", "tax"), ("rate", "net", "tax"), ("rate", "tax", "gross"))
        )
        at = {name: columns * (1 if len(order) == 1 else (index + 1) / len(order)) for index, name in enumerate(order)}
        if self._rng.random() < 0.85:
            name = plan.voice.say(taxes[0].rate.name)
            texts = {"rate": f"{name}%", "net": plan.word("net_short"), "tax": name, "gross": plan.word("gross_short")}
            self._roll.add(
                *(Cell((label(texts[key]),), at[key] if key != "rate" else 0, "right" if key != "rate" else "left") for key in order)
            )
        for tax in taxes:
            code = f"{tax.rate.code}{self._rng.choice((' ', '=', ': '))}" if tax.rate.code else ""
            cells = {
                "rate": (Run(code, Role.TAX_CODE), Run(self._percent(tax), Role.TAX_RATE)),
                "net": (Run(money.amount(tax.net), Role.TAX_BASE),),
                "tax": (Run(money.amount(tax.tax), Role.TAX),),
                "gross": (Run(money.amount(tax.gross), Role.TAX_BASE),),
            }
            self._roll.add(*(Cell(cells[key], at[key] if key != "rate" else 0, "right" if key != "rate" else "left") for key in order))
        if len(taxes) > 1 and self._rng.random() < 0.3:
            sums = {"net": sum(tax.net for tax in taxes), "tax": plan.purchase.tax, "gross": sum(tax.gross for tax in taxes)}
            cells = {key: (Run(money.amount(value), Role.TAX if key == "tax" else Role.TAX_BASE),) for key, value in sums.items()}
            self._roll.add(Cell((label(plan.word("sum")),), 0), *(Cell(cells[key], at[key], "right") for key in order if key != "rate"))

    def _tax_sentence(self, taxes: tuple[TaxAmount, ...]) -> None:
        """Such as `incl. 19% MwSt 3,18` or `Total includes GST of $1.81`, not in columns."""
        plan = self._plan
        for tax in taxes:
            parts = (f"{plan.word('including')} {self._percent(tax)} {plan.voice.say(tax.rate.name)}", plan.money.total(tax.tax))
            gap = self._rng.choice((" ", ": ", " = "))
            runs = (label(parts[0] + gap), Run(parts[1], Role.TAX))
            (self._roll.centre if self._rng.random() < 0.4 else self._roll.left)(*runs)
