"""The client tower: what goes over the wire, and in what pieces. No public objects."""
