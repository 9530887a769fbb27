"""The ``fleet`` command: one file per command, arguments in, exit code out. What they do is done further down."""
