"""How this machine is used: devices, threads, and limits of time and memory."""
