"""Lays out a plan as rows, in the order that its layout asks for."""

from training.render import footer_block, header_block
from training.render.items_block import ItemList
from training.render.plan import Plan
from training.render.rows import Face, Roll, Row
from training.render.totals_block import Totals


def lay_out(plan: Plan, face: Face) -> tuple[tuple[Row, ...], int]:
    """Return the rows of the receipt from top to bottom, and the width of the paper roll in columns."""
    layout = plan.layout
    roll = Roll(face, layout.columns)
    totals = Totals(roll, plan)
    if layout.merchant_place != "foot":
        header_block.add_merchant(roll, plan)
        roll.blank(0.5)
    header_block.add_title(roll, plan)
    if layout.meta_place == "top":
        header_block.add_meta(roll, plan)
    roll.rule(layout.rule)
    ItemList(roll, plan).add()
    roll.rule(layout.rule)
    if layout.meta_place == "above_total":
        header_block.add_meta(roll, plan)
        roll.rule(layout.rule)
    totals.add()
    if layout.tax_place == "after_total":
        totals.add_taxes()
    footer_block.add_payment(roll, plan)
    if layout.tax_place == "after_payment":
        roll.rule(layout.rule)
        totals.add_taxes()
    _add_below(roll, plan)
    return tuple(roll.rows), layout.columns


def _add_below(roll: Roll, plan: Plan) -> None:
    """Add what follows payment and tax."""
    layout = plan.layout
    for is_shown, add_block in (
        (layout.shows_converted, footer_block.add_converted),
        (layout.shows_slip, footer_block.add_slip),
        (layout.shows_points, footer_block.add_points),
        (layout.repeats_total, footer_block.add_repeat),
    ):
        if is_shown:
            roll.rule(layout.rule)
            add_block(roll, plan)
    roll.blank(0.5)
    if layout.meta_place == "foot":
        header_block.add_meta(roll, plan)
    footer_block.add_closing(roll, plan)
    if layout.merchant_place == "foot":
        roll.blank(0.5)
        header_block.add_merchant(roll, plan)
