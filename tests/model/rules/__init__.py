"""The rules of an import, a training and a deployment, which no step in `functions/` calls yet."""
