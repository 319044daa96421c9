"""The application that goes all the way through the course: a service, its store, its worker.

Each module is a program of its own, copied into the image ``course/app:1`` as it stands.
"""
