"""ECS: clusters, task definitions, tasks and services, whose tasks an agent really runs."""
