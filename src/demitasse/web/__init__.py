"""Pages, charts, report: what people see."""
