"""The life of a job, shared by api, worker and steward. It imports neither of them.

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

`tests/test_architecture.py` holds this picture and `base/states.py` to each other.
"""
