"""The transitions of a job, used by api, worker and steward; it imports none of them.

```
submit   -> queued
reuse    -> succeeded
claim    queued  -> running
retry    running -> queued
release  running -> queued
rescue   running -> queued
succeed  running -> succeeded
fail     running -> failed
cancel   queued  -> cancelled
cancel   running -> cancelled
expire   queued  -> expired
```

`tests/test_architecture.py` compares this list with `base/states.py`.
"""
