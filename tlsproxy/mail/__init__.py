"""Mail as a configuration handles it: addresses, routing and access control, evaluated without Postfix.

Pure functions on a configuration; the only I/O is that of the lookup tables which the configuration names.
"""
