"""Files that tasks need: where they lie on this machine, their hashes, and how they are fetched."""
