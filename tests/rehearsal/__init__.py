"""`make rehearse`: what autoscalers and rolling upgrades do in a cluster, with real processes here.

deployment (what the chart renders) · scaler (KEDA's decisions) · fleet (workers, started and drained) · load
(who submits) · scaling (the whole loop) · versions (the code before the newest migration) · upgrade (two
versions at a time) · checks (that nothing was lost) · plot.
"""
