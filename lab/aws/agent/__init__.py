"""The agent of ECS: it makes containers of tasks, on the container engine of this machine."""
