"""The `receipts` command: each subcommand parses its input, calls one function and shows the result."""
