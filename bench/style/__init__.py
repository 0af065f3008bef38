"""Does it sound like the author? `python -m bench.style`; see bench/STYLE.md."""
