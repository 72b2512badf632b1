"""The pictures of the strategies' pages, drawn by `python -m scripts.pictures`: one look, exact, the same each time."""
