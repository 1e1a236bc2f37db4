"""The rows: one SQLite file, its tables, and the modules that query them: jobs and job queue for files, the store for records."""
