"""Guidelines for TLS: `profiles` has them as data, `compliance` compares the offers of servers with one of them.

`judgement` finds violations in an offer, `changes` makes one configuration of the settings that would help.
"""
