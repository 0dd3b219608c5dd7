"""`make chaos`: the whole product under faults, then a check of what it promised.

cluster (the processes) · faults (what befalls them) · load (who submits) · record (what was seen meanwhile)
· checks (what must hold afterwards).
"""
