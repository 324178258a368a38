"""The functions computed: one architecture per file, named for it."""
