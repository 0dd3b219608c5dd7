"""How much waits, how much fits: the depth of the queue, the KV budget, the expected wait."""
