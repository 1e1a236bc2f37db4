"""Rows of the totals: subtotal, discount, service charge, taxes in several layouts, tip, rounding, total."""

from training.render.items_block import count_of
from training.render.plan import Plan
from training.render.purchase import TaxAmount
from training.render.rows import Cell, Role, Roll, Run, label

_TABLE_ORDERS = (("rate", "net", "tax", "gross"), ("rate", "gross", "net", "tax"), ("rate", "net", "tax"), ("rate", "tax", "gross"))


class Totals:
    """Adds the totals of one receipt to a roll."""

    def __init__(self, roll: Roll, plan: Plan) -> None:
        self._roll, self._plan, self._rng = roll, plan, plan.rng("totals")
        self._has_rule_above_total = self._rng.random() < 0.5
        self._separates_mark = self._rng.random() < 0.25
        self._has_mark_column = plan.rng("mark column").random() < 0.2
        self._label_end = plan.layout.label_end

    def add(self) -> None:
        """Add everything from the subtotal to the total."""
        plan, purchase, layout = self._plan, self._plan.purchase, self._plan.layout
        if layout.shows_count and self._rng.random() < 0.5:
            self._add_count()
        if layout.shows_subtotal:
            self._add_line(plan.word("subtotal"), purchase.subtotal, Role.SUBTOTAL)
        if purchase.discount:
            percent = f" {purchase.discount_percent}%" if self._rng.random() < 0.7 else ""
            self._add_line(plan.word("discount") + percent, -purchase.discount, Role.DISCOUNT)
        if purchase.service:
            percent = f" {plan.money.number(purchase.service_percent, 0)}%" if self._rng.random() < 0.7 else ""
            self._add_line(plan.word("service") + percent, purchase.service, Role.SERVICE)
        if layout.shows_net:
            self._add_line(plan.word("net"), purchase.before_rounding - purchase.tax - purchase.tip, Role.NET)
        if layout.tax_place == "before_total":
            self.add_taxes()
        if purchase.tip:
            self._add_line(plan.word("tip"), purchase.tip, Role.TIP)
        self._add_total()
        if layout.shows_count and self._rng.random() < 0.5:
            self._add_count()

    def add_taxes(self) -> None:
        """Add the tax of each rate in the layout of the plan; nothing where the receipt prints no tax."""
        taxes, style = self._plan.purchase.taxes, self._plan.layout.tax_style
        if not taxes or style == "none":
            return
        if style == "lines":
            self._add_tax_lines(taxes)
        elif style == "table":
            self._add_tax_table(taxes)
        else:
            self._add_tax_sentence(taxes)

    # --- totals ------------------------------------------------------------------------------------------------------

    def _add_line(self, text: str, amount: int, role: Role, *, size: float = 1.0, bold: bool = False, leader: str = "") -> None:
        money = self._plan.money
        is_named = self._names_currency(text)
        is_bare = is_named or money.on_totals == "none"
        value: tuple[Run, ...] = (Run(money.amount(amount) if is_bare else money.total(amount), role),)
        in_column = self._has_mark_column and is_bare and not is_named
        if self._separates_mark and is_bare and not is_named and not in_column:
            value = (Run(money.mark + " ", Role.CURRENCY), *value)
        indent = self._plan.layout.indent
        first = text + self._label_end
        if leader:
            room = self._roll.columns - indent - len(first) - len(value[-1].text) - 3
            first += leader * max(0, room) if size == 1 else ""
        self._roll.pair((label(first),), value, indent=indent, size=size, bold=bold)
        if in_column:
            self._roll.between(Run(money.mark, Role.CURRENCY), 0.66)

    def _names_currency(self, text: str) -> bool:
        """Whether a label contains the currency, as `TOTAL CHF` does; the amount is then printed without a currency mark."""
        words = set(text.replace("(", " ").replace(")", " ").replace(":", " ").split())
        return not words.isdisjoint((*self._plan.country.marks, self._plan.country.currency))

    def _add_count(self) -> None:
        count = count_of(self._plan.purchase.entries)
        if self._rng.random() < 0.5:
            self._roll.pair((label(self._plan.word("count") + self._label_end),), (Run(str(count)),))
        else:
            self._roll.left(label(self._plan.word("count") + self._rng.choice((": ", " ", " : "))), Run(str(count)))

    def _add_total(self) -> None:
        plan, purchase, layout = self._plan, self._plan.purchase, self._plan.layout
        shows_rounding = bool(purchase.rounding) or (plan.country.cash_step > 1 and self._rng.random() < 0.3)
        if shows_rounding:
            self._add_line(plan.word("total"), purchase.before_rounding, Role.BEFORE_ROUNDING)
            self._add_line(plan.word("rounding"), purchase.rounding, Role.ROUNDING)
        if self._has_rule_above_total:
            self._roll.rule(layout.rule)
        word = plan.word("rounded_total" if shows_rounding else "total")
        if not self._names_currency(word) and plan.rng("mark in label").random() < 0.2:
            word = f"{word} {plan.rng('mark').choice((plan.money.mark, f'({plan.money.mark})', plan.country.currency))}"
        self._add_line(word, purchase.total, Role.TOTAL, size=layout.total_size, bold=layout.total_bold, leader=layout.leader)
        if layout.total_size > 1:
            self._roll.blank(0.3)

    # --- tax layouts ------------------------------------------------------------------------------------------------

    def _percent(self, tax: TaxAmount) -> str:
        percent = tax.rate.percent
        places = (
            -int(percent.as_tuple().exponent)
            if percent != percent.to_integral_value()
            else self._plan.rng("places").choice((0, 0, 0, 1, 2))
        )
        return self._plan.money.number(percent, places) + self._plan.rng("percent").choice(("%", "%", " %"))

    def _add_tax_lines(self, taxes: tuple[TaxAmount, ...]) -> None:
        shape = self._rng.choice(
            ("{name} {percent}", "{name} {percent}", "{name}", "{percent} {name}", "{incl} {name} {percent}", "{name} @ {percent}")
        )
        if self._plan.purchase.tax_mode == "on_top":
            shape = shape.replace("{incl} ", "")
        if len(taxes) > 1 and "{percent}" not in shape:
            shape += " {percent}"
        for tax in taxes:
            text = shape.format(name=self._plan.text.format(tax.rate.name), percent=self._percent(tax), incl=self._plan.word("including"))
            self._add_line(text, tax.tax, Role.TAX)
        if len(taxes) > 1 and self._rng.random() < 0.25:
            self._add_line(self._plan.word("tax_total"), self._plan.purchase.tax, Role.TAX)

    def _add_tax_table(self, taxes: tuple[TaxAmount, ...]) -> None:
        """Add rate, net, tax and gross in columns, in a random order that fits the paper; as lines where none fits."""
        has_heading = self._rng.random() < 0.85
        has_sum = len(taxes) > 1 and self._rng.random() < 0.3
        rows = [*([self._table_heading(taxes)] if has_heading else []), *map(self._table_row, taxes)]
        if has_sum:
            rows.append(self._table_sum(taxes))
        for order in self._rng.sample(_TABLE_ORDERS, len(_TABLE_ORDERS)):
            width = self._roll.columns / len(order)
            if all(self._roll.fits("".join(run.text for run in row[key]) + " ", width) for row in rows for key in order):
                break
        else:
            self._add_tax_lines(taxes)
            return
        for row in rows:
            cells = [Cell(row[key], width * (place + 1), "right") for place, key in enumerate(order) if place and row[key]]
            self._roll.add(Cell(row[order[0]], 0), *cells)

    def _table_heading(self, taxes: tuple[TaxAmount, ...]) -> dict[str, tuple[Run, ...]]:
        name = self._plan.text.format(taxes[0].rate.name)
        rng, mark = self._plan.rng("table heading"), self._plan.money.mark
        unit = f"({mark})" if rng.random() < 0.2 else ""
        rate = rng.choice((f"{name}%", f"{name}%", "%", name, f"{name} -"))
        texts = {
            "rate": rate,
            "net": self._plan.word("net_short") + unit,
            "tax": name + unit,
            "gross": self._plan.word("gross_short") + unit,
        }
        return {key: (label(text),) for key, text in texts.items()}

    def _table_row(self, tax: TaxAmount) -> dict[str, tuple[Run, ...]]:
        code = f"{tax.rate.code}{self._plan.rng('code').choice((' ', '=', ': '))}" if tax.rate.code else ""
        money = self._plan.money
        return {
            "rate": (Run(code, Role.TAX_CODE), Run(self._percent(tax), Role.TAX_RATE)),
            "net": (Run(money.amount(tax.net), Role.TAX_BASE),),
            "tax": (Run(money.amount(tax.tax), Role.TAX),),
            "gross": (Run(money.amount(tax.gross), Role.TAX_BASE),),
        }

    def _table_sum(self, taxes: tuple[TaxAmount, ...]) -> dict[str, tuple[Run, ...]]:
        money = self._plan.money
        return {
            "rate": (label(self._plan.word("sum")),),
            "net": (Run(money.amount(sum(tax.net for tax in taxes)), Role.TAX_BASE),),
            "tax": (Run(money.amount(self._plan.purchase.tax), Role.TAX),),
            "gross": (Run(money.amount(sum(tax.gross for tax in taxes)), Role.TAX_BASE),),
        }

    def _add_tax_sentence(self, taxes: tuple[TaxAmount, ...]) -> None:
        """Add a phrase such as `incl. 19% MwSt 3,18`, without columns."""
        plan = self._plan
        for tax in taxes:
            parts = (f"{plan.word('including')} {self._percent(tax)} {plan.text.format(tax.rate.name)}", plan.money.total(tax.tax))
            gap = self._rng.choice((" ", ": ", " = "))
            runs = (label(parts[0] + gap), Run(parts[1], Role.TAX))
            (self._roll.centre if self._rng.random() < 0.4 else self._roll.left)(*runs)
