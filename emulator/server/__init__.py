"""What answers in the emulator's process: one port, and the services behind it."""
