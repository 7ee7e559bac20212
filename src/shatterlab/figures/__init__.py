"""Charts as functions of a table; altair gives the interactive page, PNG, SVG and PDF from one definition."""
