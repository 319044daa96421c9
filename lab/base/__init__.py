"""What the image ``course/base:1`` is made from: a registry's images, or packages."""
