"""The TLS report: the protocols, ciphers, groups and certificates that a peer of each service meets.

`command` is the option --tls-report. `offers` are made of the settings of services, `openssl` has the rules of
OpenSSL and speaks for one release of it. `compliance` compares offers with guidelines.
"""
