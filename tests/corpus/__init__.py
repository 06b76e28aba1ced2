"""Exchanges recorded from a real DVID, and their replay on the development server."""
