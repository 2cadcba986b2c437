"""Parts of the real-client harness: servers, the dropping proxy, dependencies, reports."""
