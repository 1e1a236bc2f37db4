"""The command that measures accuracy on labelled receipts."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from extractor.cli.common_options import ReaderOption
from extractor.cli.terminal import quoted, safe, tell

if TYPE_CHECKING:
    from extractor.evaluation.scoring import Score

TruthArgument = Annotated[
    Path, typer.Argument(metavar="TRUTH.jsonl", help="Labels, one JSON object a line; see the manual.", show_default=False)
]
FolderArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the labelled images.", show_default=False)]


def evaluate(
    context: typer.Context,
    truth: TruthArgument,
    folder: FolderArgument,
    *,
    misses: Annotated[bool, typer.Option("--misses", help="List every wrong field with the likely cause.")] = False,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", metavar="FILE", help="Write wrong fields with their images to this HTML file.", show_default=False),
    ] = None,
    reliability: Annotated[bool, typer.Option("--reliability", help="Show accuracy by confidence.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print counts as JSON instead of a table.")] = False,
    reader: ReaderOption = None,
) -> None:
    """Read labelled receipts and show how many fields are right, how many records are accepted, and how many of these are wrong."""
    from extractor.api import read_files
    from extractor.cli.display import reliability_table, score_table, stdout, track
    from extractor.evaluation.contact_sheet import write_contact_sheet
    from extractor.evaluation.scoring import Score, load_truth
    from extractor.extraction.runner import Extraction

    settings = context.obj.settings(reader={"name": reader} if reader else None)
    truths = load_truth(truth)
    score, records = Score(), {}
    results = read_files([folder / one.image for one in truths], settings)
    for one, (_, result) in zip(truths, track(results, len(truths), is_shown=sys.stderr.isatty()), strict=True):
        if isinstance(result, tuple):
            records[one.image] = result[0]  # a label is about one receipt
        else:
            tell(result)
        score.add(one, records.get(one.image))
    if as_json:
        typer.echo(json.dumps(_counts(score), indent=1))
    else:
        stdout().print(score_table(score))
        if reliability:
            stdout().print(reliability_table(score))
    if misses and not as_json:
        for miss in score.misses:
            mark = " ACCEPTED" if miss.was_accepted else ""
            typer.echo(safe(f"{miss.image}: {miss.name} is {miss.wanted!r}, read {miss.got!r} ({miss.cause}){mark}"))
    if sheet is not None:
        extraction = Extraction.from_settings(settings)
        write_contact_sheet(sheet, score, records, lambda image: extraction.page_images(folder / image))
        typer.echo(f"Wrote {quoted(sheet)}.", err=True)


def _counts(score: "Score") -> dict[str, object]:
    return {
        "receipts": score.receipts,
        "absent": score.absent,
        "fields": {name: {"right": right, "of": of} for name, (right, of) in score.fields.items()},
        "items_f1": score.items_f1,
        "header": {"right": score.headers[0], "of": score.headers[1]},
        "accepted": score.accepted,
        "wrong_accepted": score.wrong_accepted,
        "wrong_accepted_values": score.wrong_accepted_values,
        "reliability": {name: [asdict(own) for own in classes] for name, classes in score.reliability.items()},
    }
