"""Errors, files, progress and parallel work, for every other package. Imports no other package of the library."""
