"""The scripts that generate pages of the docs from the code."""
