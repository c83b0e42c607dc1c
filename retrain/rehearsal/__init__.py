"""Rehearses a stack in an emulator of AWS that runs on this machine."""
