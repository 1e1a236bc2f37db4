"""Writes the manifest of the weights: after training, or where a change of a word list was measured and needs no training.

    python -m training.manifest --accept "dev: no value of any record changes"

Without a reason, a changed list or feature means that the model has to be trained again.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from extractor.readers.rules.manifest import FILE, current, drift, stored

MANIFEST = Path(__file__).parents[1] / "extractor/readers/rules/weights" / FILE


def record_training(name: str, *, module: str, command: str, seed: int | None) -> None:
    """Write the entry of a file of `weights/` that was just trained; `accepted` changes of before are void."""
    _write({**stored(), name: {"module": module, "command": command, "seed": seed, **_described(name), "accepted": []}})


def accept(reason: str) -> tuple[str, ...]:
    """Write the present features and lists into the manifest, and why the weights still fit them; return what changed."""
    changed, today = drift(), datetime.now(UTC).date().isoformat()
    entries = dict(stored())
    for name, entry in entries.items():
        own = [each for each in changed if each.startswith(name)]
        notes = [*entry["accepted"], {"date": today, "reason": reason}] if own else entry["accepted"]
        entries[name] = {**entry, **_described(name), "accepted": notes}
    _write(entries)
    return changed


def _described(name: str) -> dict[str, Any]:
    current.cache_clear()
    return dict(current()[name])


def _write(entries: dict[str, Any]) -> None:
    MANIFEST.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accept", metavar="REASON", required=True, help="what was measured, and what it showed")
    print(*accept(parser.parse_args(arguments).accept) or ("nothing changed",), sep="\n")


if __name__ == "__main__":
    main()
