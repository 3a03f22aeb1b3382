"""The search for cases in folders of any layout: what is a case, how it is named, and what was passed over.

Imports `common` and `imaging`.
"""
