"""Step 5: measures every task, compares with the blessed model, and blesses or refuses."""
