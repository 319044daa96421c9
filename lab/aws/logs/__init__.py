"""CloudWatch Logs: groups, streams, events, and the patterns by which events are found."""
