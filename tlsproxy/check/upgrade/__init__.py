"""Comparison of two Postfix releases for one configuration: the changes that concern it, and the remedy for each.

`systems` describes releases and distributions, `knowledge` has the release notes, `conditions` their conditions.
`defaults` compares effective values, `settings` checks the settings, `tables` the table types. `comparison` combines
these, `report` prints the result. Defaults and deprecated names come from the catalogue of `postconf`.
"""
