"""What the product is about: a day's commits, and the TIL post that is written from them."""
