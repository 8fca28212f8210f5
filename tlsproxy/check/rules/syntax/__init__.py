"""How the files are written: lines, comments, quotes and dollar signs."""
