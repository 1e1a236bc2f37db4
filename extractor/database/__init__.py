"""The rows: one SQLite file, its tables, and the two modules that query them, the ledger of files and the store of records."""
