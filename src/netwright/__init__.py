"""netwright finds, trains, shrinks and ships the neural network that fits your data and your hardware."""
