"""What must survive a crash; the only importer of SQLAlchemy."""
