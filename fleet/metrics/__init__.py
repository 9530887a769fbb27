"""Metrics of the whole fleet on one page: workers count into files of their slot, the supervisor serves the sum."""
