"""Runs made together and compared: what a sweep asks for, how each run is made or found again, which is chosen."""
