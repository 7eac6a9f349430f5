"""How rows travel through a shuffle of Beam."""
