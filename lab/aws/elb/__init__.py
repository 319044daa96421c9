"""Elastic Load Balancing: listeners that answer on this machine, and targets that are checked."""
