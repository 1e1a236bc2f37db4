"""Settings: every option of the program, its default and where it is read from."""
