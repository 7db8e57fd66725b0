"""A package, so that other test folders may have modules with the same names."""
