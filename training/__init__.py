"""What makes the shipped weights and sample receipts; runs from a checkout and is not part of the installed package."""
