"""Tables: networks that take them."""
