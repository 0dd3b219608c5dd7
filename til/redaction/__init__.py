"""Secrets in commits are found and replaced before anything is stored."""
