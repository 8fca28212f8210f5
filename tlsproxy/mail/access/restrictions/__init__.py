"""Restrictions of smtpd(8): the table of them, lists of them, and their evaluation."""
