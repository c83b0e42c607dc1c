"""The commands with their options, one module each. They only pass the options on."""
