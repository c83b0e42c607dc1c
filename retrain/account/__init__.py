"""Finds the pipeline that a command operates, with which credentials, and prints its results."""
