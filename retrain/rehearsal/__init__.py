"""The rehearsal of a stack on an AWS that runs on this machine."""
