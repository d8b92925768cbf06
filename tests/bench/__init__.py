"""`make bench`: our figures, each beside what one would do otherwise, measured in the same run. Benchmarks, not tests."""
