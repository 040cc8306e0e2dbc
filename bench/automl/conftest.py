"""Here so that pytest puts this folder, and with it the harness, on the path."""
