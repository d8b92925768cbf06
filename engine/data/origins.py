"""Where a mask came from, and what that counts in training."""

#: How much more often a mask that a person made or accepted is drawn than an automatic one (SAM-p, section 7.6).
HUMAN_WEIGHT = 10.0
#: The field in which our own releases say where a mask came from, and its values that mean a person: a proposal is released
#: once one has accepted it.
ORIGIN, HUMAN_ORIGINS = "maskloop_origin", frozenset({"assisted", "brush", "imported", "proposed"})
