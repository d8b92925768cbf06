"""Where a mask came from, and what that counts in training."""

#: How much more often a mask by a person is drawn than an automatic one (SAM-p, section 7.6).
HUMAN_WEIGHT = 10.0
#: The field in which our own releases say where a mask came from, and its values that mean a person.
ORIGIN, HUMAN_ORIGINS = "maskloop_origin", frozenset({"assisted", "brush", "imported"})
