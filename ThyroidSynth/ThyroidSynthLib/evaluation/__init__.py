"""How good a model is: surface distances, distributions, steering, and the report that shows them."""

EVALUATION_FILE = "evaluation.json"
REPORT_FILE = "report.html"
