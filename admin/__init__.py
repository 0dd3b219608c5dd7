"""Administration that needs the database: migrations, tenants and their keys, sealed secrets."""
