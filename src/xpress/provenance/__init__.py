"""Marks on outputs that say they are synthetic, and what finds them again."""
