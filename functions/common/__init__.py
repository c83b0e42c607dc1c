"""What all functions use: clients, the clock, the log, and how values are written for people."""
