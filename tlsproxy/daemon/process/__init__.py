"""The process and the system: descriptors, privileges, signals, memory, watchdog."""
