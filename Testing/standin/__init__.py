"""Stand-in for the 3D Slicer application: real MRML and real Qt widgets, without the application.

Nothing is imported here, so that tests which need no application stay light. See ``README.md`` for
what is real, what is stood in and what only a real Slicer can prove.
"""
