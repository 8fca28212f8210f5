"""File formats of indexed tables: Berkeley DB, LMDB and CDB."""
