"""Files: regular ones only when read, replaced as a whole when written, with the rights of the directory's owner."""
