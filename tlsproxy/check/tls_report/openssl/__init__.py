"""OpenSSL as a report needs it: names and strengths of ciphers and groups, and the rules of a negotiation."""
