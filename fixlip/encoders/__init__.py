"""Encoders: from a model, an image and a caption to embeddings of what masks leave of them."""
