"""A DVID volume as a numpy array: lazy, exact, fast, safe to write, ready for dask and xarray."""

__version__ = "0.1.0"
