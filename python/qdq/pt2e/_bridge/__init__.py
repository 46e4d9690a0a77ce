"""Between torch.fx and the core: graphs, values and annotations cross here, and nowhere else."""
