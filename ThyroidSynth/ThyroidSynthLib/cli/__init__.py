"""The `thyroidsynth` command.

Each subcommand only reads its options and calls the library. Imports every package but `slicer`.
"""
