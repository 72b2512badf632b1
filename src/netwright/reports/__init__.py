"""What people see: the terminal while a search runs, and the report. Reads the trials and the files they left."""
