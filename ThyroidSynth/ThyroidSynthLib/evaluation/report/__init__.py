"""The evaluation as files: numbers, tables, figures and HTML pages."""
