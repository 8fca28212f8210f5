"""SMTP access control: what smtpd(8) answers to a client, and why.

Pure functions on a configuration, its lookup tables and facts about a session.
"""
