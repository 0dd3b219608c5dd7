"""How much waits, how much fits, how many workers that needs: depth, scaling, KV budget, expected wait."""
