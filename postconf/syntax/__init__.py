"""Syntax of main.cf and master.cf: logical lines, assignments, services and `$` expressions; no I/O."""
