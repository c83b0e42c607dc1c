"""The checks of `retrain doctor`. Each check yields findings, and nothing is changed."""
