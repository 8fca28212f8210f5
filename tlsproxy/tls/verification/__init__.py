"""Verification of peer certificates: PKIX, DANE, fingerprints and names."""
