"""Read rendered receipts of many countries and fail where fewer fields are right than the committed floors ask for.

    python -m bench.gate            compare with bench/gate/baseline.json; ends with 1 where a floor is not kept
    python -m bench.gate --update   set the baseline and its floors to what is measured now; review the diff

The receipts come from a set of seeds that no model is trained on. They guard against a change that helps one receipt and hurts ten; they
do not say how well real receipts are read, since the renderer and the reader have the same authors.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence

from bench.gate.baseline import PATH, Baseline, Measure, Outcome, measure
from bench.gate.rendering import GateReceipt, gate_receipts, gate_results


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="python -m bench.gate")
    parser.add_argument("--update", action="store_true", help="rewrite the baseline instead of comparing with it")
    options = parser.parse_args(arguments)
    receipts, started = gate_receipts(), time.monotonic()
    outcomes = {one.name: Outcome.of(*result) for one, result in zip(receipts, gate_results(receipts), strict=True)}
    print(f"{len(receipts)} receipts rendered and read in {time.monotonic() - started:.0f} s\n")
    print(country_table(receipts, outcomes))
    if options.update:
        Baseline.of(outcomes).save()
        print(f"\n{PATH} is rewritten. Review its diff.")
        return 0
    baseline = Baseline.load()
    if list(baseline.outcomes) != list(outcomes):
        print("\nThe baseline is of other receipts. Set it again on the commit before this change: python -m bench.gate --update")
        return 1
    measures = baseline.measures(outcomes)
    print(f"\n{limits_table(measures)}")
    return verdict(baseline, outcomes, measures)


def limits_table(measures: Sequence[Measure]) -> str:
    """Every measure with its limit, as plain text."""
    lines = [f"{'':20}{'now':>8}{'limit':>9}{'of':>6}"]
    for each in measures:
        sign, mark = "<=" if each.is_ceiling else ">=", "" if each.is_kept else "   FAILED"
        value, limit = (f"{number:.4f}" if each.of is None else f"{number:.0f}" for number in (each.value, each.limit))
        lines.append(f"{each.name:20}{value:>8}{f'{sign} {limit}':>9}{each.of or '':>6}{mark}")
    return "\n".join(lines)


def country_table(receipts: Sequence[GateReceipt], outcomes: Mapping[str, Outcome]) -> str:
    """By country and by image_type: receipts, the share of each field that is right, accepted and wrongly accepted records."""
    names = list(measure(outcomes.values()))
    lines = ["".join((f"{'':8}{'n':>4}", *(f"{name[:9]:>10}" for name in names)))]
    for key in ("country", "image_type"):
        for group in dict.fromkeys(sorted(getattr(one, key) for one in receipts)):
            own = [outcomes[one.name] for one in receipts if getattr(one, key) == group]
            lines.append(_country_row(group, own, names))
    return "\n".join(lines)


def _country_row(group: str, outcomes: Sequence[Outcome], names: Sequence[str]) -> str:
    measured = measure(outcomes)
    cells = []
    for name in names:
        value, of = measured.get(name, (0, 0))
        cells.append(f"{value:>10.2f}" if of is None else f"{f'{value:.0f}/{of}' if of else '-':>10}")
    return f"{group:8}{len(outcomes):>4}" + "".join(cells)


def verdict(baseline: Baseline, outcomes: Mapping[str, Outcome], measures: Sequence[Measure]) -> int:
    """PrintedText what changed since the baseline; 1 where a limit is not kept."""
    worse, better = baseline.worse(outcomes), baseline.better(outcomes)
    print(f"\n{len(worse)} receipts got worse and {len(better)} better than in the baseline.")
    failed = [each.name for each in measures if not each.is_kept]
    for name, lost in worse.items():
        print(f"  {name:16} {', '.join(lost)}")
    if failed:
        print(f"\nThe gate fails: {', '.join(failed)}. `python -m bench.gate --update` accepts this, with a diff to review.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
