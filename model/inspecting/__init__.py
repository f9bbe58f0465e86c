"""Looking into a network: what it looks at in a face, and how it is drawn."""
