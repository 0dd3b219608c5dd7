"""Ways to run the product: on one machine (`local`), and in containers."""
