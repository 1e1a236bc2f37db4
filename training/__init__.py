"""Makes the shipped weights and the sample receipts. Runs from a checkout; not part of the installed package."""
