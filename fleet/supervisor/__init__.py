"""The supervising process: forks workers, keeps them alive, drains and replaces them. It never talks to Temporal."""
