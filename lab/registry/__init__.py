"""What the image ``course/registry:1`` is made from: a registry's image, or a package."""
