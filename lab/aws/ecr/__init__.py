"""ECR: repositories over a registry that the engine pushes to and pulls from.

Each account and region that is asked for ECR gets a registry of its own, a container of the engine;
a repository's address is ``127.0.0.1:<port>/<name>``, where on AWS it is
``<account>.dkr.ecr.<region>.amazonaws.com/<name>``. What images there are is what this registry
holds. As on AWS it wants the token of GetAuthorizationToken, refuses a repository that was not
created, and a tag that is immutable and taken. Other than on AWS it speaks HTTP; nobody checks a
repository's policy, carries out a lifecycle policy, or scans an image; and the images go with the
container.
"""
