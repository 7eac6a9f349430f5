"""Step 5, after training: every task is measured, compared with the blessed model, and the candidate blessed or refused."""
