"""From a request to a post: plan, prompt, call session, schema."""
