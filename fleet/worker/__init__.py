"""What a worker process runs: clients, Temporal workers, and the plugin for Python workers."""
