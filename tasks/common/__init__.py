"""What every step stands on: parameters, paths, tables, files, errors, what is said on the console."""
