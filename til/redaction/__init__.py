"""Finds secrets in a request and replaces them before anything is stored."""
