"""Fuzz one target with coverage guidance until its time is up or it fails. Never returns: libFuzzer ends the process."""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["extractor", "schemas"]):
    from tests.fuzz.seeds import seeds_of
    from tests.fuzz.targets import TARGETS

LONGEST_BYTES = 20_000
TIMEOUT_SECONDS = 60
MEMORY_MB = 3000


def main() -> None:
    """Arguments: name of the target, seconds, and the folder of the corpus."""
    name, seconds, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds_of(name)):
        (corpus / f"seed-{number:03d}").write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "artifact_prefix": f"{folder}/found-{name}-",
        "max_len": LONGEST_BYTES,
        "timeout": TIMEOUT_SECONDS,
        "rss_limit_mb": MEMORY_MB,
        "report_slow_units": TIMEOUT_SECONDS,
        "print_final_stats": 1,
    }
    atheris.Setup([sys.argv[0], str(corpus), *(f"-{option}={value}" for option, value in options.items())], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
