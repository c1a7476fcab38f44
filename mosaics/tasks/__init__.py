"""Tasks: batches, loss and metrics of one kind of data, for the training loop."""
