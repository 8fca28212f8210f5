"""Comparison of two Postfix releases for one configuration: the changes that concern it, and what to do about each.

`systems` says what a release or distribution is, `knowledge` what its release notes say, `conditions` whom a note
concerns. `defaults` compares effective values, `settings` looks at what is set, `tables` at table types. `comparison`
puts these together, `report` prints the result. Defaults and deprecated names come from the catalogue of `postconf`.
"""
