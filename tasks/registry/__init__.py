"""The model registry: versions that never change, the champion among them, and the history of champions."""
