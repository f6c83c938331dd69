"""The paper's experiments, offline on emoji scenes or on pictures of one's own."""
