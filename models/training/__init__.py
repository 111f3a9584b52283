"""How the bundled model is made: `python -m repofill.models.training`. Needs the `train` extra."""
