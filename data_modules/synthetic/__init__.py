"""How rendered training faces are made: parameters, albedo, background, picture."""
