"""SMTP: facts about a session, its commands and replies, and the protocol around the restrictions."""
