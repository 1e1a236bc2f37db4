"""Item rows: one method for each layout in which receipts list items."""

from itertools import pairwise

from training.render.plan import Plan
from training.render.purchase import Entry
from training.render.rows import Cell, Role, Roll, Run, label


class ItemList:
    """Adds the entries of one receipt to a roll, in the item layout of its plan."""

    def __init__(self, roll: Roll, plan: Plan) -> None:
        self._roll, self._plan, self._rng = roll, plan, plan.rng("items")
        self._times = self._rng.choice((" x ", " x ", " X ", "x", " @ ", " * ", " × "))
        self._prints_codes_above = self._rng.random() < 0.4
        self._always_counts = self._rng.random() < 0.4
        self._indent = self._rng.choice((0, 1, 2, 2, 4))
        self._piece = plan.word("piece") if self._rng.random() < 0.3 else ""
        self._has_sections = plan.shop.kind == "grocery" and self._rng.random() < 0.12
        self._has_modifiers = plan.shop.kind == "restaurant" and self._rng.random() < 0.25
        rates = [line.rate for line in plan.purchase.taxes] if plan.layout.shows_codes else []
        self._codes = {name: rate.code for rate in rates for name in rate.classes}
        # A tax letter may follow the amount without a space, as in `6,98A`; a digit there would be read as part of the amount.
        follows_digits = not plan.money.on_items.startswith("after")
        self._joins_code = self._rng.random() < 0.3 and follows_digits and not any(code.isdigit() for code in self._codes.values())
        self._edge = 0 if self._joins_code or not self._codes else 1 + max(map(len, self._codes.values()))

    def add(self) -> None:
        """Add all entries, with a heading where the layout has one."""
        if self._plan.layout.has_heading:
            self._add_heading()
        for entry in self._plan.purchase.entries:
            if entry.kind in ("discount", "deposit"):
                self._add_adjustment(entry)
            else:
                self._add_section()
                getattr(self, f"_{self._plan.layout.items}")(entry)
                self._add_modifier()

    # --- parts of a line -------------------------------------------------------------------------------------------

    def _end(self, entry: Entry) -> tuple[tuple[Run, ...], str]:
        """Return the runs of the amount, and the tax code that is printed apart from it; the code is empty where it is joined or absent."""
        code = self._codes.get(entry.tax_class, "")
        amount = Run(self._plan.money.item(entry.amount), Role.ITEM_TOTAL)
        if code and self._joins_code:
            return (amount, Run(code, Role.TAX_CODE)), ""
        return (amount,), code

    def _add_priced(self, first: tuple[Run, ...], entry: Entry, indent: float = 0) -> None:
        amount, code = self._end(entry)
        self._roll.pair(first, amount, indent=indent, edge=self._edge)
        if code:
            row = self._roll.rows[-1]
            self._roll.rows[-1] = type(row)(
                (*row.cells, Cell((Run(code, Role.TAX_CODE),), self._roll.columns, "right")), row.size, row.bold, row.advance
            )

    def _name(self, entry: Entry) -> tuple[Run, ...]:
        return (Run(entry.description, Role.ITEM),)

    def _coded(self, entry: Entry) -> tuple[Run, ...]:
        """Return the description, preceded by the product code where both share a row."""
        if entry.code and not self._prints_codes_above:
            return (Run(entry.code, Role.ITEM_CODE), Run(" "), *self._name(entry))
        return self._name(entry)

    def _add_code_above(self, entry: Entry) -> None:
        if entry.code and self._prints_codes_above:
            self._roll.left(Run(entry.code, Role.ITEM_CODE))

    def _quantity(self, entry: Entry) -> str:
        if entry.unit:
            places = -int(entry.quantity.as_tuple().exponent)
            return self._plan.money.number(entry.quantity, places)
        return str(int(entry.quantity))

    def _price(self, entry: Entry) -> str:
        places = max(self._plan.money.digits, -int(entry.unit_price.as_tuple().exponent))
        return self._plan.money.number(entry.unit_price, places)

    def _times_runs(self, entry: Entry) -> tuple[Run, ...]:
        """Return quantity and unit price, such as `2 x 1,99` or `0,456 kg x 3,99 EUR/kg`."""
        unit = f" {entry.unit}" if entry.unit else self._piece and f" {self._piece}"
        per = f" {self._plan.money.mark}/{entry.unit}" if entry.unit and self._rng.random() < 0.5 else ""
        return (
            Run(self._quantity(entry), Role.ITEM_QUANTITY),
            Run(unit + self._times),
            Run(self._price(entry), Role.ITEM_PRICE),
            *([Run(per)] if per else []),
        )

    def _is_counted(self, entry: Entry) -> bool:
        return entry.quantity != 1 or self._always_counts

    # --- item layouts ----------------------------------------------------------------------------------------------------

    def _one_line(self, entry: Entry) -> None:
        self._add_code_above(entry)
        self._add_priced(self._coded(entry), entry)
        if entry.quantity != 1:
            self._roll.left(*self._times_runs(entry), indent=self._indent + 1)

    def _quantity_first(self, entry: Entry) -> None:
        self._add_code_above(entry)
        if entry.unit:
            self._quantity_below(entry)
            return
        quantity = Run(self._quantity(entry), Role.ITEM_QUANTITY)
        gap = Run(self._times if self._times in ("x", " x ") and self._always_counts else " ")
        self._add_priced((quantity, gap, *self._name(entry)), entry)
        if entry.quantity != 1 and self._rng.random() < 0.3:
            self._roll.left(Run("@ "), Run(self._price(entry), Role.ITEM_PRICE), indent=self._indent + 2)

    def _quantity_above(self, entry: Entry) -> None:
        if self._is_counted(entry):
            self._roll.left(*self._times_runs(entry), indent=self._indent)
        self._add_priced(self._coded(entry), entry)

    def _quantity_below(self, entry: Entry) -> None:
        if not self._is_counted(entry):
            self._add_priced(self._coded(entry), entry)
            return
        self._roll.left(*self._coded(entry))
        self._add_priced(self._times_runs(entry), entry, indent=self._indent)

    def _price_times(self, entry: Entry) -> None:
        """Add description, `2 x 3,49` and amount, on one row if they fit."""
        joined = (*self._name(entry), Run("  "), *self._times_runs(entry))
        if self._roll.fits("".join(run.text for run in joined), self._roll.columns - 11):
            self._add_priced(joined, entry)
        else:
            self._roll.left(*self._coded(entry))
            self._add_priced(self._times_runs(entry), entry, indent=self._roll.columns * 0.25)

    def _code_line(self, entry: Entry) -> None:
        """Add the description on its own row, then code, quantity, unit price and amount in columns."""
        self._roll.left(*self._name(entry))
        columns = self._roll.columns
        cells = [
            Cell((Run(entry.code, Role.ITEM_CODE),), 0),
            Cell((Run(self._quantity(entry), Role.ITEM_QUANTITY),), columns * 0.45, "right"),
            Cell((Run(self._price(entry), Role.ITEM_PRICE),), columns * 0.7, "right"),
        ]
        self._in_columns([cell for cell in cells if cell.text], entry)

    def _table(self, entry: Entry) -> None:
        """Add description, quantity, unit price and amount in columns; a long description is wrapped or placed above."""
        columns = self._roll.columns
        lines = self._roll.wrap(self._name(entry), columns * 0.48)
        cells = [
            Cell(lines[0], 0),
            Cell((Run(self._quantity(entry), Role.ITEM_QUANTITY),), columns * 0.6, "right"),
            Cell((Run(self._price(entry), Role.ITEM_PRICE),), columns * 0.79, "right"),
        ]
        if not self._roll.fits("".join(run.text for run in lines[0]), columns * 0.53):
            self._roll.left(*self._name(entry))
            self._in_columns(cells[1:], entry)
            return
        self._in_columns(cells, entry)
        for line in lines[1:]:
            self._roll.add(Cell(line, 0))

    def _in_columns(self, cells: list[Cell], entry: Entry) -> None:
        """Add the cells and the amount as one row; a cell that would touch its neighbour is dropped, a description moves to its own row."""
        amount, code = self._end(entry)
        end = Cell(amount, self._roll.columns - self._edge, "right")
        marks = [Cell((Run(code, Role.TAX_CODE),), self._roll.columns, "right")] if code else []
        kept: list[Cell] = []
        limit = self._left(end)
        for cell in reversed(cells):
            if self._right(cell) + 0.8 <= limit:
                kept.insert(0, cell)
                limit = self._left(cell)
            elif cell.runs[0].role is Role.ITEM:
                self._roll.left(*self._name(entry))
        self._roll.add(*kept, end, *marks)

    def _width(self, cell: Cell) -> float:
        return self._roll.face.width_px(cell.text) / self._roll.face.column_px

    def _left(self, cell: Cell) -> float:
        return cell.column - self._width(cell) if cell.align == "right" else cell.column

    def _right(self, cell: Cell) -> float:
        return cell.column if cell.align == "right" else cell.column + self._width(cell)

    def _add_adjustment(self, entry: Entry) -> None:
        """Add a discount or a deposit below its item."""
        self._add_priced((Run(self._plan.text.format(entry.description), Role.ITEM),), entry, indent=self._indent)

    def _add_section(self) -> None:
        """Add, before some items, the name of a department. It is no item and has no amount."""
        if self._has_sections and self._rng.random() < 0.4:
            self._roll.left(Run(self._plan.text.format(self._rng.choice(self._plan.words.all("section")))))

    def _add_modifier(self) -> None:
        """Add, below some dishes, a preparation note such as `no ice`. It is no item and has no amount."""
        if self._has_modifiers and self._rng.random() < 0.2:
            self._roll.left(Run(self._plan.text.format(self._rng.choice(self._plan.words.all("modifier")))), indent=self._indent + 2)

    def _add_heading(self) -> None:
        word, columns = self._plan.word, self._roll.columns
        if self._plan.layout.items in ("table", "code_line"):
            names = [
                (word("item"), 0.0, "left"),
                (word("qty"), 0.6, "right"),
                (word("price"), 0.79, "right"),
                (word("amount"), 1.0, "right"),
            ]
            cells = [Cell((label(text),), columns * at, align) for text, at, align in names]
            tight = any(self._right(one) + 0.5 > self._left(two) for one, two in pairwise(cells))
            self._roll.add(*(cells[::3] if tight else cells))
        else:
            self._roll.pair((label(word("item")),), (label(self._rng.choice((word("amount"), self._plan.money.mark))),))
        self._roll.rule(self._plan.layout.rule)


def count_of(entries: tuple[Entry, ...]) -> int:
    """Number of pieces bought, as receipts count them: a weighed product counts as one."""
    return sum(1 if entry.unit else int(entry.quantity) for entry in entries if entry.kind in ("item", "free"))
