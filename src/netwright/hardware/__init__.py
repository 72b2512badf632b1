"""What a network costs on this machine, measured: latency, memory, and the card that says which machine it was."""
