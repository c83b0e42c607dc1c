"""The command line and the rehearsal do what their help says.

With the command's own entry points; an emulator that answers from a script stands in for the real
one. Does not prove AWS.
"""
