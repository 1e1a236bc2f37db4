"""A plan becomes rows, in the order that its layout chose."""

from training.render import foot, head
from training.render.items import ItemList
from training.render.plan import Plan
from training.render.rows import Face, Roll, Row
from training.render.totals import Totals


def lay_out(plan: Plan, face: Face) -> tuple[tuple[Row, ...], int]:
    """All rows of the receipt, top to bottom, and the roll's width in columns."""
    layout = plan.layout
    roll = Roll(face, layout.columns)
    totals = Totals(roll, plan)
    if layout.merchant_place != "foot":
        head.lay_merchant(roll, plan)
        roll.blank(0.5)
    head.lay_title(roll, plan)
    if layout.meta_place == "top":
        head.lay_meta(roll, plan)
    roll.rule(layout.rule)
    ItemList(roll, plan).lay()
    roll.rule(layout.rule)
    if layout.meta_place == "above_total":
        head.lay_meta(roll, plan)
        roll.rule(layout.rule)
    totals.lay()
    if layout.tax_place == "after_total":
        totals.lay_taxes()
    foot.lay_payment(roll, plan)
    if layout.tax_place == "after_payment":
        roll.rule(layout.rule)
        totals.lay_taxes()
    _lay_below(roll, plan)
    return tuple(roll.rows), layout.columns


def _lay_below(roll: Roll, plan: Plan) -> None:
    """What follows payment and tax."""
    layout = plan.layout
    for is_shown, lay in (
        (layout.shows_converted, foot.lay_converted),
        (layout.shows_slip, foot.lay_slip),
        (layout.shows_points, foot.lay_points),
        (layout.repeats_total, foot.lay_repeat),
    ):
        if is_shown:
            roll.rule(layout.rule)
            lay(roll, plan)
    roll.blank(0.5)
    if layout.meta_place == "foot":
        head.lay_meta(roll, plan)
    foot.lay_closing(roll, plan)
    if layout.merchant_place == "foot":
        roll.blank(0.5)
        head.lay_merchant(roll, plan)
