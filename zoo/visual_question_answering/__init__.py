"""Pictures and questions about them in, answers out."""
