"""Writes the dump of the newest schema: `python -m tests.database_schemas`."""

from tests.database_schemas import main

main()
