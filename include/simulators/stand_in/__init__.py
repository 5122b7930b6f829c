"""What the stand-ins for vendors share: serving, scripted faults, control over HTTP, a process of their own."""
