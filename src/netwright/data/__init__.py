"""What people hold (folders of images, archives of arrays, NumPy arrays), decoded once into memory-mapped arrays."""
