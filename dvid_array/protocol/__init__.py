"""DVID's dialect, shared by the client and the development server: bytes and documents, no I/O."""
