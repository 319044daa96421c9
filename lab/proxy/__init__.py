"""What the image ``course/proxy:1`` is made from: HAProxy's image, or packages."""
