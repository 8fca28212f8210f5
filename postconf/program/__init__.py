"""What all commands share: how a program runs and ends, its options, its help, its completion scripts."""
