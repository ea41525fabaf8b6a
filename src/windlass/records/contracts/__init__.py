"""Gate contracts and workflows as data: read strictly, every problem named, before anything is judged by them."""
