"""What may be built: choices, layers, recipes, spaces made of them, and every reading of a space. No torch, no numpy."""
