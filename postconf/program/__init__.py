"""Common parts of all commands: start and exit, options, help, completion scripts."""
