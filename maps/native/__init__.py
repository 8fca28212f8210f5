"""Declarations of C libraries for cffi, made by tools/make_bindings.py: parsing them at each start takes 40 ms."""
