"""Images: networks that take them."""
