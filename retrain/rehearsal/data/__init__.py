"""What a rehearsal puts into the emulator: data, exports, and everything that a stack names."""
