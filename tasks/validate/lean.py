"""Imports Great Expectations, whose use it keeps to itself, without SQLAlchemy: import this module before it."""

import os
from typing import Final

from model.importing import import_without

# Read while Great Expectations is imported, by those of its releases that report their use.
os.environ["GX_ANALYTICS_ENABLED"] = "false"

OPTIONAL: Final = frozenset({"sqlalchemy"})
"""What Great Expectations does without where the data doesn't lie in a database."""

import_without("great_expectations", OPTIONAL)
