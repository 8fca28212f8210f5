"""Tables that are text files: entries, rules and regular expressions."""
