"""Berkeley DB files, read and written without the library: the formats behind `hash` and `btree`.

`pages` has the common parts of the two formats. `hash_file` and `btree_file` are the readers, `hash_writer` and
`btree_writer` the writers. `table` makes tables of them, with Postfix's locks and messages. The formats are those of
release 5.3: hash version 9 and btree version 9, and the earlier ones that it still reads.
"""
