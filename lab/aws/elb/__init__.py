"""Elastic Load Balancing: listeners that answer on this machine, and targets that are checked.

Application load balancers with listeners for HTTP. What differs from AWS:

- Each load balancer has the DNS name ``localhost``; they are told apart by the ports of their
  listeners, and a port is taken once on the whole machine.
- A new target is checked more often than the interval says, until it is healthy.
- Requests go round target groups exactly by their weights; on AWS that is so on the average.
- HTTPS, HTTP/2, WebSockets, stickiness, slow start, transforms, and logs in S3 are not here: who
  asks for one of them is refused. A request for a WebSocket is passed on as a plain one.
"""
