"""What each setting has to look like, as pure functions."""
