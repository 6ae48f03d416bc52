"""Training faces: reading, cleaning, description, splits and augmentation."""
