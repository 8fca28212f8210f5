"""The TLS report: the protocols, ciphers, groups and certificates that a peer of each service meets.

`command` is the option --tls-report. `servers` and `clients` make offers of the settings of services, `negotiation` has
the rules of OpenSSL, and `library` speaks for one OpenSSL. `compliance` compares offers with guidelines.
"""
