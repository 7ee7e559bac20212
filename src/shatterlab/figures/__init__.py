"""Charts as functions of a table; altair turns one definition into an interactive chart, PNG, SVG and PDF."""
