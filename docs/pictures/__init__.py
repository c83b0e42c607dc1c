"""Draws the pictures of the pages: `make pictures` writes them from a real rehearsal.

Each picture is an SVG for light and one for dark pages, with its text in a file beside them, for
whoever cannot see it. `tests/program/test_pictures.py` says when a picture shows what the program
no longer prints.
"""
