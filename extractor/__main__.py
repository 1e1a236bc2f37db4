"""`python -m extractor` is the `receipts` command. Service managers start it so: it does not depend on where scripts are installed."""

from extractor.cli.main import main

main()
