"""Is the data what it should be: Great Expectations' checks of the faces, their figures, and a report of both."""
