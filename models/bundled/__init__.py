"""Data only: the model that ships with repofill, its card, and the ranking's weights."""
