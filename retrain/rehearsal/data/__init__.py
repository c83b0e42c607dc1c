"""The data of a rehearsal: CSV exports, and the resources that a stack names."""
