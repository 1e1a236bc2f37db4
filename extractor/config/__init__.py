"""Settings: all options of the program, their defaults, and the sources that they are read from."""
