"""Lossless editing of main.cf and master.cf."""
