"""The tables of the papers on public data.

Every model of the registry learns from the same preprocessing, is tuned alike, and is trained with
several seeds.
"""
