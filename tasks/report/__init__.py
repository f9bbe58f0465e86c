"""Reports that people read: self-contained HTML pages, with nothing from the net."""
