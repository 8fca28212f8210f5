"""tlsproxy-check: the mistakes in a Postfix configuration, before Postfix finds them.

Reads, never writes unless asked to (`fixes`), and needs neither Postfix nor root nor network. A rule is one small class
in `rules`; a report format one module in `reports`; `engine` brings them together.
"""
