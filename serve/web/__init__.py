"""A page that looks through the browser's camera."""
