"""Networks over one flat buffer each."""
