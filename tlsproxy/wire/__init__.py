"""Postfix's attribute protocol as tlsproxy(8) speaks it; no I/O."""
