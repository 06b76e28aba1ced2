"""JSON Schemas of DVID's documents, as files."""
