"""Keys and certificates: the files in use, their content, and the judgement of the daemon's own loader."""
