"""`python -m extractor` is `receipts`: how a service manager starts it, without a script whose place it would have to know."""

from extractor.cli.main import main

main()
