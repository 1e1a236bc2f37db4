"""Writes the dump of the newest schema: `python -m tests.schemas`."""

from tests.schemas import main

main()
