"""The local AWS: the APIs of AWS on this machine, over real containers."""
