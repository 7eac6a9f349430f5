"""Elements that travel between the steps of Beam: Arrow tables, rejected lines and counts."""
