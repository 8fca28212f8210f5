"""Life without master(8): a supervisor and its workers."""
