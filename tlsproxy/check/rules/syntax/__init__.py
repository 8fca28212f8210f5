"""Syntax of main.cf and master.cf: lines, comments, quotes and dollar signs."""
