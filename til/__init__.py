"""The product's data: the request with a day's commits, and the TIL post that is written from it."""
