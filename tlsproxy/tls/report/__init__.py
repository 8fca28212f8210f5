"""Log text about handshakes and certificates."""
