"""Administration that needs the database: migrate, bootstrap."""
