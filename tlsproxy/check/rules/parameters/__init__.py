"""Parameters of main.cf: their names, their values by kind, settings that exclude each other, and releases."""
