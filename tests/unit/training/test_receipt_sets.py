"""Models are trained on other rendered receipts than those that the accuracy gate reads."""

import ast
from pathlib import Path

import training
from bench.gate.rendering import gate_receipts
from training.receipt_sets import GATE, TrainingSet, gate_receipt, training_receipts
from training.render import RenderOptions

MODULES = Path(training.__file__).parent
# `samples` writes files for people, with seeds that begin with a number.
RENDERING = {"receipt_sets.py", "samples.py"}


def test_no_training_set_has_the_seeds_of_the_gate() -> None:
    """Seeds begin with the name of their set, and no name is the beginning of another one."""
    names = [*TrainingSet, GATE]
    assert not [(one, other) for one in names for other in names if one is not other and f"{other}-".startswith(f"{one}-")]
    seeds = {receipt.plan.seed for name in TrainingSet for receipt in training_receipts(name, 3)}
    gate = {gate_receipt(one.number, RenderOptions()).plan.seed for one in gate_receipts()[:3]}
    assert len(seeds) == 3 * len(TrainingSet)
    assert not seeds & gate


def test_training_commands_render_nothing_themselves() -> None:
    """Only `receipt_sets` and `samples` import `render`, so every training command draws from a `TrainingSet`."""
    importing = set()
    for path in MODULES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in {"training.render", "training.render.renderer"}:
                importing |= {path.name for alias in node.names if alias.name == "render"}
            if isinstance(node, ast.ImportFrom) and node.module == "training.receipt_sets" and path.name != "receipt_sets.py":
                assert not {alias.name for alias in node.names} & {"GATE", "gate_receipt"}
    assert importing == RENDERING
