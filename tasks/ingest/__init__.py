"""Bring faces in from whatever form a user has them in, to one table and a note of where they came from.

The only step that looks outside the repository. Each source has a reader in a module of its own; `registry` names them.
"""
