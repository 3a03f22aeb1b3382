"""An evaluation as files: document, tables, figures and HTML pages; and descriptions of files and models."""
