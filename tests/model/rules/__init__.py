"""The rules of an import and a training, which no step in `functions/` calls yet."""
