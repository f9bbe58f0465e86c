"""How a network learns: augmentation, batches, optimizers, the loop over epochs, its backup."""
