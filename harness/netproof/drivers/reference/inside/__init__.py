"""What runs inside the fabric's namespaces: standard library (and dnslib in the name server), relative imports only.

The supervisor is started by the path of this folder, so that it starts in milliseconds: it must import nothing of
`harness`. It loads the agent by its path, the same file that pods of a real cluster run.
"""
